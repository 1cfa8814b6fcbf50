package entitlements

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"

	"holdfast/entitlements/dpop"
)

// ReconcileRequest is what a device sends, besides its proof.
type ReconcileRequest struct {
	Device        DeviceID
	Lineage       string
	KeysetVersion int64
	Ledger        string // empty where there is none
}

// Reconciled is what it gets. Lineage is empty where the device is quarantined, Keyset where the device has it.
type Reconciled struct {
	Document   string
	Passkeys   string
	Keyset     string
	Lineage    string
	ServerTime time.Time
	Ledger     LedgerHead
}

// Step asks the store to judge a token and to carry out what follows ([Lineage.Judge], [Lineage.Advance]), in one
// statement with reading the account.
//
// Where the token is taken and the device is linked, document_bound rises to the latest end that a document with features
// can have by the subscriptions read: over all that are not revoked, suspended or withheld by a dispute, the latest of the
// lesser of paid time, with grace where it follows, and Now with the plan's window (at most Window), and at most KeysetEnd;
// and then Allowance on top. Where the token's revision is above the user's, or its generation above the device's, the
// database has lost commits: revision and ledger head are raised to the token's, document_bound to the latest end that any
// document can have with [MaxSkew] on top, and that is audited. Where the device becomes quarantined, the user's revision is
// raised, its status index becomes INVALID, and that is audited. Wherever a document follows, of whatever kind,
// document_revision rises to the document's revision.
type Step struct {
	Token Token
	JKT   string
	// Bound is the generation that the nonce was bound to for this device; -1 where it was not.
	Bound     int64
	Now       time.Time
	Window    time.Duration
	KeysetEnd time.Time
	// Allowance is how much longer than its end the document may count, for the device's clock.
	Allowance time.Duration
	RPID      string
}

// Advanced is what Step has led to.
type Advanced struct {
	Account  Account // without devices
	Lineage  Lineage // after the step
	Removed  bool
	Bound    time.Time // document_bound; zero where there never was a document with features
	List     int
	Index    int
	Ledger   LedgerHead
	Passkeys []OfflinePasskey
}

// CheckProof checks a DPoP header for a request of method to path, and then its nonce. It fails with
// [dpop.ErrInvalidProof] and [dpop.ErrUseNonce].
func (s *Service) CheckProof(header, method, path string) (dpop.Proof, error) {
	proof, err := dpop.Parse(header, method, s.config.Issuer+path)
	if err != nil {
		return dpop.Proof{}, err
	}
	return s.nonces.Check(proof)
}

// CheckDevice says whether the proof was made by a device that is known, and fails with [ErrDeviceUnknown] if not.
func (s *Service) CheckDevice(ctx context.Context, proof dpop.Proof) error {
	if _, _, err := s.store.DeviceByKey(ctx, proof.JKT); err != nil {
		return fmt.Errorf("find device: %w", err)
	}
	return nil
}

// Nonce makes a DPoP-Nonce for the device's next proof.
func (s *Service) Nonce() (string, error) { return s.nonces.Issue(nil) }

// Reconcile takes a device's lineage forward and gives it a document that says what is true now. What is revoked,
// lapsed or absent is no error, nor is a device that was removed. It fails with [ErrDeviceUnknown],
// [ErrLineageInvalid], [ErrLedgerInvalid], [*NonceError] for a stale token and [*ForkedError].
func (s *Service) Reconcile(ctx context.Context, proof dpop.Proof, request ReconcileRequest) (Reconciled, error) {
	token, err := s.sealer.open(request.Lineage)
	if err != nil || token.Device != request.Device || request.Ledger != "" {
		return Reconciled{}, s.refuse(ctx, proof, request, err)
	}
	now, keys := s.instant(), s.keys.Load()
	skew := skewOf(proof.IssuedAt, now)
	advanced, err := s.store.Advance(ctx, Step{
		Token: token, JKT: proof.JKT, Bound: boundGeneration(proof.Binding, request.Device), Now: now,
		Window: s.config.OfflineWindow, KeysetEnd: keys.Keyset.End(), Allowance: allowance(skew), RPID: s.config.RPID,
	})
	if err != nil {
		return Reconciled{}, fmt.Errorf("reconcile: %w", err)
	}
	if !advanced.Lineage.Forked && advanced.Lineage.Parent != token.Tag {
		nonce, err := s.nonces.Issue(binding(request.Device, advanced.Lineage.N))
		if err != nil {
			return Reconciled{}, fmt.Errorf("reconcile: %w", err)
		}
		return Reconciled{}, &NonceError{Nonce: nonce}
	}

	decision, passkeys := advanced.Account.Decide(now), advanced.Passkeys
	switch {
	case advanced.Lineage.Forked:
		decision, passkeys = withheld(ReasonDeviceForked), nil
	case advanced.Removed:
		decision, passkeys = withheld(ReasonDeviceRemoved), nil
	}
	revision := max(advanced.Account.Revision, token.Revision)
	reconciled := Reconciled{ServerTime: now, Ledger: advanced.Ledger}
	reconciled.Document, reconciled.Passkeys, err = s.documents(issue{
		user: token.User, device: token.Device, jkt: proof.JKT, proof: proof.JTI, revision: revision, decision: decision,
		bound: advanced.Bound, skew: skew, list: advanced.List, index: advanced.Index, passkeys: passkeys,
	}, keys.Keys, now)
	if err != nil {
		return Reconciled{}, fmt.Errorf("reconcile: %w", err)
	}
	if request.KeysetVersion != keys.Keyset.Version {
		reconciled.Keyset = keys.Compact
	}
	if advanced.Lineage.Forked {
		return Reconciled{}, &ForkedError{Reconciled: reconciled}
	}
	// A child of the token consumed, whether it has just been consumed or was before: the row says the same.
	reconciled.Lineage, err = s.sealer.seal(Token{
		Device: token.Device, User: token.User, Generation: advanced.Lineage.N, Parent: advanced.Lineage.Parent,
		Revision: revision, Ledger: advanced.Ledger,
	})
	if err != nil {
		return Reconciled{}, fmt.Errorf("reconcile: %w", err)
	}
	return reconciled, nil
}

// refuse finds out which of its errors a request gets that cannot be judged.
func (s *Service) refuse(ctx context.Context, proof dpop.Proof, request ReconcileRequest, lineage error) error {
	_, device, err := s.store.DeviceByID(ctx, request.Device)
	switch {
	case err != nil && !errors.Is(err, ErrDeviceUnknown):
		return fmt.Errorf("reconcile: %w", err)
	case err != nil || device.JKT != proof.JKT:
		return ErrDeviceUnknown
	case lineage != nil || request.Ledger == "":
		return ErrLineageInvalid
	default:
		return ErrLedgerInvalid
	}
}

// withheld is the decision about a device that gets nothing, whatever its user has.
func withheld(reason Reason) Decision { return Decision{State: StateRevoked, Reason: reason} }

// binding ties a nonce to a device and its present generation.
func binding(device DeviceID, generation int64) []byte {
	id := uuid.MustParse(string(device)) // it came out of a sealed token
	return binary.BigEndian.AppendUint64(id[:], uint64(generation))
}

func boundGeneration(bound []byte, device DeviceID) int64 {
	if len(bound) != 24 || DeviceID(uuid.UUID(bound[:16]).String()) != device {
		return -1
	}
	return int64(binary.BigEndian.Uint64(bound[16:]))
}

// Entitlements is the current decision, with features that are online-only too.
type Entitlements struct {
	Revision int64
	Decision Decision
}

// Entitlements judges the user now. [ErrNotFound] without the user.
func (s *Service) Entitlements(ctx context.Context, user UserID) (Entitlements, error) {
	account, err := s.Account(ctx, user)
	if err != nil {
		return Entitlements{}, err
	}
	return Entitlements{Revision: account.Revision, Decision: account.Decide(s.instant())}, nil
}

// DeviceEntitlements is the same for the device that made the proof: nothing, if it was removed or is quarantined.
func (s *Service) DeviceEntitlements(ctx context.Context, proof dpop.Proof) (Entitlements, error) {
	user, device, err := s.store.DeviceByKey(ctx, proof.JKT)
	if err != nil {
		return Entitlements{}, fmt.Errorf("entitlements: %w", err)
	}
	e, err := s.Entitlements(ctx, user)
	switch {
	case err != nil:
		return Entitlements{}, err
	case device.Quarantined:
		e.Decision = withheld(ReasonDeviceForked)
	case device.Removed:
		e.Decision = withheld(ReasonDeviceRemoved)
	}
	return e, nil
}
