package api

import (
	"math"
	"net/http"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"holdfast/entitlements"
	"holdfast/entitlements/billing"
	"holdfast/passkey"
)

// exportedPasskey is a passkey with the fields that only an export shows.
type exportedPasskey struct {
	passkeyItem
	RPID           string         `json:"rp_id"`
	AAGUID         string         `json:"aaguid"`
	PublicKey      jsontext.Value `json:"public_key"` // JWK
	Transports     []string       `json:"transports"`
	SignCount      uint32         `json:"sign_count"`
	BackupEligible bool           `json:"backup_eligible"`
}

type exportedDevice struct {
	adminDevice
	KeyThumbprint string `json:"key_thumbprint"` // RFC 7638
	Removed       bool   `json:"removed"`
}

type exportedBilling struct {
	Source   string        `json:"source"`
	ID       string        `json:"id"`
	Customer string        `json:"customer"`
	At       time.Time     `json:"at"`
	Facts    billing.Facts `json:"facts"`
}

type exportedLink struct {
	Kind      passkey.CodeKind `json:"kind"`
	ExpiresAt time.Time        `json:"expires_at"`
}

// exportedEpoch is a key of the user's vault, without the key: devices get that alone.
type exportedEpoch struct {
	Epoch  int64     `json:"epoch"`
	MadeAt time.Time `json:"made_at"`
}

// exportAccount returns everything that is stored about the user as one file. Secrets are stored only as hashes, which are
// left out.
func (s *server) exportAccount(w http.ResponseWriter, r *http.Request, by caller) error {
	ctx := r.Context()
	held, err := s.passkeys.Export(ctx, by.session)
	if err != nil {
		return err
	}
	account, err := s.entitlements.Account(ctx, by.user())
	if err != nil {
		return err
	}
	devices, err := s.entitlements.EveryDevice(ctx, by.user())
	if err != nil {
		return err
	}
	trail, err := s.entitlements.Audit(ctx, entitlements.AuditQuery{User: by.user(), Limit: math.MaxInt32})
	if err != nil {
		return err
	}
	billed, err := s.entitlements.BillingEvents(ctx, by.user())
	if err != nil {
		return err
	}
	acts, err := s.entitlements.Ledger(ctx, entitlements.LedgerQuery{User: by.user(), Limit: math.MaxInt32})
	if err != nil {
		return err
	}
	vaultKeys, err := s.entitlements.VaultKeys(ctx, by.user())
	if err != nil {
		return err
	}
	file := struct {
		ExportedAt    time.Time         `json:"exported_at"`
		User          adminUser         `json:"user"`
		Role          *passkey.Role     `json:"role"`
		Revision      int64             `json:"revision"`
		TrialStarted  bool              `json:"trial_started"`
		Passkeys      []exportedPasskey `json:"passkeys"`
		Sessions      []sessionItem     `json:"sessions"`
		RecoveryCodes recoveryCodes     `json:"recovery_codes"`
		Links         []exportedLink    `json:"links"`
		Subscriptions []subscription    `json:"subscriptions"`
		Billing       []exportedBilling `json:"billing_events"`
		Devices       []exportedDevice  `json:"devices"`
		Notes         []note            `json:"notes"`
		Audit         []auditEntry      `json:"audit"`
		Ledger        []action          `json:"ledger"`
		VaultEpochs   []exportedEpoch   `json:"vault_epochs"`
	}{
		ExportedAt: s.now().UTC(), User: adminUserOf(held.User), Role: orNull(held.Role), Revision: account.Revision, TrialStarted: account.TrialStarted,
		Passkeys: []exportedPasskey{}, Sessions: sessionsOf(held.Sessions, by.session), Links: []exportedLink{},
		RecoveryCodes: recoveryCodes{held.RecoveryCodes.Left, utc(held.RecoveryCodes.CreatedAt)},
		Subscriptions: []subscription{}, Billing: []exportedBilling{}, Devices: []exportedDevice{}, Notes: each(held.Notes, noteOf), Audit: each(trail, auditEntryOf),
		Ledger: each(acts, actionOf), VaultEpochs: each(vaultKeys, func(k entitlements.ContentKey) exportedEpoch { return exportedEpoch{k.Epoch, k.MadeAt} }),
	}
	for _, c := range held.Passkeys {
		file.Passkeys = append(file.Passkeys, exportedPasskey{
			passkeyOf(c.Passkey()), c.RPID, c.AAGUID.String(), jsontext.Value(c.PublicJWK), c.Transports, c.SignCount, c.BackupEligible,
		})
	}
	for _, l := range held.Links {
		file.Links = append(file.Links, exportedLink{l.Kind, l.ExpiresAt.UTC()})
	}
	for _, sub := range account.Subscriptions {
		file.Subscriptions = append(file.Subscriptions, subscriptionOf(sub))
	}
	for _, e := range billed {
		file.Billing = append(file.Billing, exportedBilling{e.Source, e.ID, e.Customer, e.At.UTC(), e.Facts})
	}
	for _, d := range devices {
		file.Devices = append(file.Devices, exportedDevice{adminDeviceOf(d), d.JKT, d.Removed})
	}
	w.Header().Set("Content-Disposition", `attachment; filename="account.json"`)
	return answer(w, http.StatusOK, file)
}

// eraseAccount deletes everything about the user except the ids in the audit trail.
func (s *server) eraseAccount(w http.ResponseWriter, r *http.Request, by caller) error {
	if err := s.passkeys.Erase(r.Context(), by.session); err != nil {
		return err
	}
	s.setCookie(w, s.sessionCookie(), "", 0)
	s.setCookie(w, s.deviceCookie(), "", 0)
	return noContent(w)
}
