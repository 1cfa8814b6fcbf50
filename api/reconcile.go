package api

import (
	"net/http"
	"time"

	"holdfast/entitlements"
	"holdfast/entitlements/ledger"
)

// showNonce gives a device its first nonce, which saves it a refused request.
func (s *server) showNonce(w http.ResponseWriter, _ *http.Request, _ caller) error {
	nonce, err := s.entitlements.Nonce()
	if err != nil {
		return err
	}
	w.Header().Set("DPoP-Nonce", nonce)
	return noContent(w)
}

// reconcile brings a device up to date. It counts every outcome: a rise of any outcome but ok is the first sign of trouble.
func (s *server) reconcile(w http.ResponseWriter, r *http.Request, by caller) error {
	reconciled, err := s.reconcileDevice(r, by)
	s.metrics.reconciles.WithLabelValues(outcome(r.Context(), err)).Inc()
	if err != nil {
		return err
	}
	return answer(w, http.StatusOK, struct {
		Document   string         `json:"document"`
		Passkeys   string         `json:"passkeys,omitempty"`
		Keyset     string         `json:"keyset,omitempty"`
		Lineage    string         `json:"lineage"`
		ServerTime time.Time      `json:"server_time"`
		Verdicts   []verdict      `json:"verdicts"`
		LedgerHead ledgerHead     `json:"ledger_head"`
		Refused    *ledgerRefusal `json:"ledger_refused,omitempty"`
	}{
		Document: reconciled.Document, Passkeys: reconciled.Passkeys, Keyset: reconciled.Keyset, Lineage: reconciled.Lineage,
		ServerTime: reconciled.ServerTime.UTC(), Verdicts: each(reconciled.Verdicts, verdictOf),
		LedgerHead: ledgerHeadOf(reconciled.Ledger), Refused: ledgerRefusalOf(reconciled.Refused),
	})
}

func (s *server) reconcileDevice(r *http.Request, by caller) (entitlements.Reconciled, error) {
	var request struct {
		Device        string  `json:"device"`
		Lineage       string  `json:"lineage"`
		KeysetVersion int64   `json:"keyset_version"`
		Passkeys      string  `json:"passkeys"`
		Ledger        *string `json:"ledger"`
	}
	if err := decode(r, &request); err != nil {
		return entitlements.Reconciled{}, err
	}
	device, ok := canonicalUUID(request.Device)
	if !ok {
		return entitlements.Reconciled{}, invalidRequest
	}
	asked := entitlements.ReconcileRequest{
		Device: entitlements.DeviceID(device), Lineage: request.Lineage, KeysetVersion: request.KeysetVersion,
		PasskeysDigest: request.Passkeys,
	}
	if request.Ledger != nil {
		if *request.Ledger == "" { // which would pass for none
			return entitlements.Reconciled{}, &entitlements.LedgerError{Refusal: &ledger.Refusal{Code: ledger.CodeSignature}}
		}
		asked.Ledger = *request.Ledger
	}
	return s.entitlements.Reconcile(r.Context(), *by.proof, asked)
}
