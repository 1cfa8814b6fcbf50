package entitlements

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"

	"holdfast/entitlements/dpop"
	"holdfast/entitlements/ledger"
)

// ReconcileRequest is the request of a device, besides its proof.
type ReconcileRequest struct {
	Device         DeviceID
	Lineage        string
	KeysetVersion  int64
	PasskeysDigest string // of the passkeys document held ([jose.Unsigned.Digest]); empty if none
	Ledger         string // a batch of entries; empty if none
}

// Reconciled is the answer to a reconcile. Lineage is empty if the device is quarantined; Passkeys and Keyset are empty
// if the device has the present ones.
type Reconciled struct {
	Document   string
	Passkeys   string
	Keyset     string
	Lineage    string
	ServerTime time.Time
	Ledger     ledger.Head
	// Verdicts are on the entries of the request that were taken, now or before; Refused is why the next one was not.
	Verdicts []Taken
	Refused  *ledger.Refusal
}

// Standing is the state that a reconcile is judged by, read in one snapshot.
type Standing struct {
	Account  Account // without Devices
	Device   Device  // without its name, its place and its times
	Passkeys []OfflinePasskey
}

// Step is the change that an answer makes to its device. DocumentExpiresAt, DocumentRevision and ReconciledAt only rise.
type Step struct {
	Lineage           Lineage
	DocumentExpiresAt *time.Time
	DocumentRevision  int64
	ReconciledAt      *time.Time  // nil where the device got no lineage
	Ledger            *LedgerStep // nil where no entry is new
}

// maxReads bounds how often a reconcile reads again because a change came between read and store.
const maxReads = 10

// CheckProof checks a DPoP header for a request of method to path, and then its nonce. It fails with
// [dpop.ErrInvalidProof] or [dpop.ErrUseNonce].
func (s *Service) CheckProof(header, method, path string) (dpop.Proof, error) {
	proof, err := dpop.Parse(header, method, s.config.Issuer+path)
	if err != nil {
		return dpop.Proof{}, err
	}
	return s.nonces.Check(proof)
}

// CheckDevice fails with [ErrDeviceUnknown] unless a known device made the proof.
func (s *Service) CheckDevice(ctx context.Context, proof dpop.Proof) error {
	if _, _, err := s.store.DeviceByKey(ctx, proof.JKT); err != nil {
		return fmt.Errorf("find device: %w", err)
	}
	return nil
}

// Nonce makes a DPoP-Nonce for the device's next proof.
func (s *Service) Nonce() (string, error) { return s.nonces.Issue(nil) }

// Reconcile advances a device's lineage and issues a document that reflects the current state. A revoked, lapsed or
// missing subscription is not an error, nor is a removed device. It fails with [ErrDeviceUnknown], [ErrLineageInvalid],
// [ErrLedgerInvalid], [*NonceError] for a stale token, or [*ForkedError].
func (s *Service) Reconcile(ctx context.Context, proof dpop.Proof, request ReconcileRequest) (Reconciled, error) {
	token, err := s.sealer.open(request.Lineage)
	if err != nil || token.Device != request.Device {
		return Reconciled{}, s.refuse(ctx, proof, request)
	}
	attempt := attempt{
		token: token, proof: proof, bound: boundGeneration(proof.Binding, request.Device), held: request.PasskeysDigest,
		now: s.instant(), keys: s.keys.Load(),
	}
	if request.Ledger != "" {
		if attempt.batch, err = ledger.Parse(request.Ledger, proof.Key, string(request.Device)); err != nil {
			attempt.unreadable, _ = errors.AsType[*ledger.Refusal](err)
		}
	}
	if attempt.signer, err = s.signer(attempt.keys.Keys, attempt.now); err != nil { // before anything is stored
		return Reconciled{}, fmt.Errorf("reconcile: %w", err)
	}
	for range maxReads {
		standing, err := s.store.Standing(ctx, token.User, token.Device, proof.JKT, s.config.RPID)
		if err != nil {
			return Reconciled{}, fmt.Errorf("reconcile: %w", err)
		}
		reconciled, err := s.answer(ctx, attempt, standing)
		switch {
		case errors.Is(err, errReadAgain):
			continue
		case err != nil:
			return Reconciled{}, fmt.Errorf("reconcile: %w", err)
		}
		if request.KeysetVersion != attempt.keys.Keyset.Version {
			reconciled.Keyset = attempt.keys.Compact
		}
		if reconciled.Lineage == "" {
			return Reconciled{}, &ForkedError{Reconciled: reconciled}
		}
		return reconciled, nil
	}
	return Reconciled{}, fmt.Errorf("reconcile: %w", ErrBusy)
}

// attempt is one reconcile with an opened token.
type attempt struct {
	token  Token
	proof  dpop.Proof
	bound  int64  // the generation that the nonce was bound to for this device; -1 where it was not
	held   string // digest of the passkeys document that the device holds
	now    time.Time
	keys   *servedKeys
	signer SigningKey // of keys, at now

	batch      ledger.Batch    // without entries if there is none
	unreadable *ledger.Refusal // why nothing of the ledger can be read
}

// errReadAgain is returned if the account has changed since it was read.
var errReadAgain = errors.New("the account has changed")

// answer answers an attempt from read, and fails with errReadAgain if the state has changed since. The step is committed
// before anything is signed.
func (s *Service) answer(ctx context.Context, by attempt, read Standing) (Reconciled, error) {
	device := read.Device
	verdict := device.Lineage.Judge(by.token, by.bound)
	switch {
	case verdict == Stale:
		nonce, err := s.nonces.Issue(binding(device.ID, device.Lineage.N))
		if err != nil {
			return Reconciled{}, err
		}
		return Reconciled{}, &NonceError{Nonce: nonce}
	case verdict == Forked && !device.Quarantined():
		return Reconciled{}, s.again(ctx, by, by.quarantine)
	case verdict != Forked && device.behind(by.token, read.Account.Revision):
		return Reconciled{}, s.again(ctx, by, s.recovery(by))
	}

	var taking taking
	if by.unreadable != nil || len(by.batch.Entries) > 0 {
		var err error
		if taking, err = s.take(ctx, by, read); err != nil {
			return Reconciled{}, err
		}
		if taking.copied {
			return Reconciled{}, s.again(ctx, by, by.quarantineCopy)
		}
	}
	decision, passkeys := read.Account.Decide(by.now), read.Passkeys
	switch {
	case device.Quarantined():
		decision, passkeys = withheld(ReasonDeviceForked), nil
	case device.Removed:
		decision, passkeys = withheld(ReasonDeviceRemoved), nil
	}
	features := decision.offline()
	end, err := s.documentEnd(decision, features, by.keys.Keyset, by.now)
	if err != nil {
		return Reconciled{}, err
	}
	revision := max(read.Account.Revision, by.token.Revision)
	step := Step{Lineage: device.Lineage.Advance(by.token, verdict), DocumentRevision: revision, Ledger: taking.step}
	if step.Ledger != nil {
		device.Ledger = step.Ledger.Head
	}
	skew := skewOf(by.proof.IssuedAt, by.now)
	if len(features) > 0 {
		step.DocumentExpiresAt = new(end.Add(allowance(skew)))
	}
	if verdict != Forked {
		step.ReconciledAt = &by.now
	}
	if step.changes(device) {
		if stored, err := s.store.Step(ctx, read, step); err != nil {
			return Reconciled{}, err
		} else if !stored {
			return Reconciled{}, errReadAgain
		}
	}

	reconciled := Reconciled{ServerTime: by.now, Ledger: device.Ledger, Verdicts: taking.verdicts, Refused: taking.refused}
	reconciled.Document, reconciled.Passkeys, err = s.documents(issue{
		user: by.token.User, external: s.shownID(read.Account), device: device, proof: by.proof.JTI, revision: revision, decision: decision,
		features: features, end: end, skew: skew, passkeys: passkeys, held: by.held,
	}, by.signer, by.keys.Keyset, by.now)
	if err != nil || verdict == Forked {
		return reconciled, err
	}
	// A child of the consumed token, whether it was consumed now or before: the row is the same.
	reconciled.Lineage, err = s.sealer.seal(Token{
		Device: device.ID, User: by.token.User, Generation: step.Lineage.N, Parent: step.Lineage.Parent,
		Revision: revision, Ledger: device.Ledger,
	})
	return reconciled, err
}

// changes reports whether the step would change the device's row.
func (step Step) changes(d Device) bool {
	return step.ReconciledAt != nil || step.Ledger != nil || step.Lineage != d.Lineage || d.DocumentRevision == nil || *d.DocumentRevision < step.DocumentRevision
}

// again makes a change that a token has shown to be necessary, as an ordinary change of the account. It returns
// errReadAgain on success, so that the attempt continues with the stored state.
func (s *Service) again(ctx context.Context, by attempt, change func(Account, Device) Change) error {
	_, err := s.store.UpdateDevice(ctx, by.token.User, by.token.Device, by.now, func(a Account) (Change, error) {
		i := slices.IndexFunc(a.Devices, func(d Device) bool { return d.ID == by.token.Device })
		if i < 0 {
			return Change{}, ErrDeviceUnknown
		}
		return change(a, a.Devices[i]), nil
	})
	if err != nil && !errors.Is(err, ErrNotFound) { // an erased account is read again, and its device is unknown then
		return err
	}
	return errReadAgain
}

// quarantine returns the change for a forked lineage.
func (by attempt) quarantine(a Account, d Device) Change {
	if d.Lineage.Judge(by.token, by.bound) != Forked {
		return Change{}
	}
	return by.quarantineCopy(a, d)
}

// quarantineCopy returns the change for a device of which there are two copies.
func (by attempt) quarantineCopy(_ Account, d Device) Change {
	if d.Quarantined() {
		return Change{}
	}
	return Change{
		Raise:   true,
		Lineage: &LineageChange{Device: d.ID, Lineage: d.Lineage.Advance(by.token, Forked), Ledger: d.Ledger},
		Status:  map[DeviceID]Status{d.ID: StatusInvalid},
		Audit:   []AuditEntry{by.audit("device.forked", generations{d.Lineage.N}, generations{by.token.Generation})},
	}
}

type generations struct {
	Generation int64 `json:"generation"`
}

// behind reports whether the database has lost commits: a later state of it made the token.
func (d Device) behind(t Token, revision int64) bool {
	return t.Generation > d.Lineage.N || t.Revision > revision || t.Ledger.Seq > d.Ledger.Seq
}

// recovery returns the change after lost commits: revision and ledger head rise to the token's, and the bound to the
// latest time at which any document can count.
func (s *Service) recovery(by attempt) func(Account, Device) Change {
	return func(a Account, d Device) Change {
		verdict := d.Lineage.Judge(by.token, by.bound)
		if verdict != Repeated && verdict != Advances || !d.behind(by.token, a.Revision) {
			return Change{}
		}
		ledger := d.Ledger
		if by.token.Ledger.Seq > ledger.Seq {
			ledger = by.token.Ledger
		}
		latest := earliest(by.now.Add(s.config.OfflineWindow), by.keys.Keyset.End()).Add(MaxSkew)
		action := "lineage.recovered"
		if by.token.gap(d, a.Revision) {
			action = gapFound
		}
		return Change{
			RaiseTo: by.token.Revision,
			Lineage: &LineageChange{Device: d.ID, Lineage: d.Lineage.Advance(by.token, verdict), Ledger: ledger, DocumentExpiresAt: &latest},
			Audit: []AuditEntry{by.audit(action,
				recovered{d.Lineage.N, a.Revision, d.DocumentRevision, d.Ledger.Seq},
				recovered{by.token.Generation, by.token.Revision, nil, by.token.Ledger.Seq})},
		}
	}
}

type recovered struct {
	Generation       int64  `json:"generation"`
	Revision         int64  `json:"revision"`
	DocumentRevision *int64 `json:"document_revision,omitempty"`
	Acts             int64  `json:"acts"` // that were taken from the device
}

func (by attempt) audit(action string, before, after any) AuditEntry {
	return AuditEntry{
		Actor: "device:" + string(by.token.Device), Action: action, Object: "device:" + string(by.token.Device),
		Before: auditJSON(before), After: auditJSON(after),
	}
}

// refuse finds the error for a request that cannot be judged.
func (s *Service) refuse(ctx context.Context, proof dpop.Proof, request ReconcileRequest) error {
	_, device, err := s.store.DeviceByID(ctx, request.Device)
	switch {
	case err != nil && !errors.Is(err, ErrDeviceUnknown):
		return fmt.Errorf("reconcile: %w", err)
	case err != nil || device.JKT != proof.JKT:
		return ErrDeviceUnknown
	default:
		return ErrLineageInvalid
	}
}

// withheld returns the decision for a device that gets nothing, whatever its user has.
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

// Entitlements is the current decision, including online-only features.
type Entitlements struct {
	User       UserID
	ExternalID string // as in documents
	Revision   int64
	Decision   Decision
}

// shownID returns the external id that documents show: "" unless they are configured to.
func (s *Service) shownID(a Account) string {
	if !s.config.ExternalIDs {
		return ""
	}
	return a.ExternalID
}

// Entitlements judges the user now. It fails with [ErrNotFound] if the user does not exist.
func (s *Service) Entitlements(ctx context.Context, user UserID) (Entitlements, error) {
	account, err := s.Account(ctx, user)
	if err != nil {
		return Entitlements{}, err
	}
	return Entitlements{user, s.shownID(account), account.Revision, account.Decide(s.instant())}, nil
}

// DeviceEntitlements judges the device that made the proof: it gets nothing if it was removed or is quarantined.
func (s *Service) DeviceEntitlements(ctx context.Context, proof dpop.Proof) (Entitlements, error) {
	user, device, err := s.store.DeviceByKey(ctx, proof.JKT)
	if err != nil {
		return Entitlements{}, fmt.Errorf("entitlements: %w", err)
	}
	e, err := s.Entitlements(ctx, user)
	switch {
	case err != nil:
		return Entitlements{}, err
	case device.Quarantined():
		e.Decision = withheld(ReasonDeviceForked)
	case device.Removed:
		e.Decision = withheld(ReasonDeviceRemoved)
	}
	return e, nil
}
