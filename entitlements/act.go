package entitlements

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"slices"
	"time"

	"holdfast/entitlements/jose"
	"holdfast/entitlements/ledger"
)

const (
	// MaxLateness is how long after its document's end an act is taken.
	MaxLateness = 90 * 24 * time.Hour
	// HistoryLife is how long past subscriptions and plans are kept: an older document cannot be judged any more.
	HistoryLife = MaxLateness + KeysetLife
	// clockTolerance is how far off a device's estimate of the time may be.
	clockTolerance = 10 * time.Minute
)

// History is what an account was before it became what it is.
type History struct {
	Subscriptions []PastSubscriptions // the oldest first
	Plans         []PastPlan          // the oldest first
	Catalogue     map[PlanID]Plan     // at present
}

// PastSubscriptions are all subscriptions of an account as they were until they changed.
type PastSubscriptions struct {
	Until         time.Time
	Subscriptions []Subscription
}

// PastPlan is a plan as it was until it changed.
type PastPlan struct {
	Until time.Time
	Plan  Plan
}

// Span is a time from From, and before To.
type Span struct{ From, To time.Time }

// Act is an entry of a ledger with everything that its verdict depends on.
type Act struct {
	Entry ledger.Entry
	// Held is when the document held was issued and when it ends; nil if it is none that the server issued to this device.
	Held                 *Span
	Quarantined, Removed bool // the device
	Account              Account
	History              History
	Accepted             int64 // acts of the feature, over all devices
	ReceivedAt           time.Time
}

// Judge returns the verdict on an act. It happened at some unknown time at which its document counted: after that was
// issued, and before it ended or the act was received. So the account must have had the feature all that time. The first
// line that fits decides:
//
//	the device is quarantined                                                         rejected  quarantined
//	the device was unlinked                                                           rejected  revoked
//	the document is none that this server issued to this device                       rejected  not_granted
//	the act claims a time more than 10 minutes after it was received                  rejected  from_future
//	it claims a time more than 10 minutes before its document was issued              rejected  too_old
//	its document ended more than 90 days before it was received                       rejected  too_old
//	it claims a time after its document's end                                         rejected  expired
//	support or a dispute withheld the subscription at some time in between            rejected  revoked
//	the paid time and its grace ended in between, or had                              rejected  expired
//	the feature was not among those that documents grant, at some time in between     rejected  not_granted
//	as many acts of the feature as the plan's limit allows have been accepted already rejected  over_limit
//	otherwise                                                                         accepted
//
// Verdicts depend on the order in which devices reconnect only through the limit, and through a change that comes in between.
func (a Act) Judge() ledger.Verdict {
	if reason := a.reason(); reason != "" {
		return ledger.Verdict{Outcome: ledger.Rejected, Reason: reason}
	}
	return ledger.Verdict{Outcome: ledger.Accepted}
}

func (a Act) reason() ledger.Reason {
	claimed := time.Unix(a.Entry.At, 0)
	switch {
	case a.Quarantined:
		return ledger.Quarantined
	case a.Removed:
		return ledger.Revoked
	case a.Held == nil:
		return ledger.NotGranted
	case a.Entry.At > a.ReceivedAt.Add(clockTolerance).Unix(): // a time.Time of the largest numbers wraps round
		return ledger.FromFuture
	case claimed.Before(a.Held.From.Add(-clockTolerance)),
		a.ReceivedAt.Sub(a.Held.To) > MaxLateness, a.ReceivedAt.Sub(a.Held.From) > HistoryLife:
		return ledger.TooOld
	case !claimed.Before(a.Held.To):
		return ledger.Expired
	}
	// The document's times are whole seconds, and it was issued at some time in the first. What changed at the very moment of
	// the receipt had changed before it.
	from, to := a.Held.From.Add(time.Second-1), earliest(a.ReceivedAt.Add(1), a.Held.To)
	var limit *int64
	for _, at := range a.History.turns(a.Account, from, to) {
		decision := a.History.decide(a.Account, at)
		feature, granted := decision.offline()[a.Entry.Feature]
		switch {
		case granted:
			limit = feature.Limit
		case decision.State == StateRevoked:
			return ledger.Revoked
		case decision.State == StateExpired:
			return ledger.Expired
		default:
			return ledger.NotGranted
		}
	}
	if limit != nil && a.Accepted >= *limit {
		return ledger.OverLimit
	}
	return ""
}

// turns returns the times from which on a decision may be another one, in order: from, and those before to.
func (h History) turns(a Account, from, to time.Time) []time.Time {
	turns := []time.Time{from}
	add := func(at time.Time) {
		if at.After(from) && at.Before(to) {
			turns = append(turns, at)
		}
	}
	ends := func(subscriptions []Subscription) {
		for _, s := range subscriptions {
			add(s.end(h.Catalogue[s.Plan]))
			for _, past := range h.Plans {
				add(s.end(past.Plan))
			}
		}
	}
	ends(a.Subscriptions)
	for _, past := range h.Subscriptions {
		add(past.Until)
		ends(past.Subscriptions)
	}
	for _, past := range h.Plans {
		add(past.Until)
	}
	slices.SortFunc(turns, time.Time.Compare)
	return slices.CompactFunc(turns, time.Time.Equal)
}

// decide decides what the account had at a time that has passed.
func (h History) decide(a Account, at time.Time) Decision {
	subscriptions := a.Subscriptions
	if i := slices.IndexFunc(h.Subscriptions, func(past PastSubscriptions) bool { return at.Before(past.Until) }); i >= 0 {
		subscriptions = h.Subscriptions[i].Subscriptions
	}
	plans := make(map[PlanID]Plan, len(subscriptions))
	for _, s := range subscriptions {
		plans[s.Plan] = h.Catalogue[s.Plan]
		i := slices.IndexFunc(h.Plans, func(past PastPlan) bool { return past.Plan.ID == s.Plan && at.Before(past.Until) })
		if i >= 0 {
			plans[s.Plan] = h.Plans[i].Plan
		}
	}
	return Decide(subscriptions, plans, at)
}

// Judged is an entry with its verdict. Position is its place in the user's feed; 0 if it is not in it.
type Judged struct {
	Entry    ledger.Entry
	Verdict  ledger.Verdict
	Position int64
}

// Taken is an entry that is stored.
type Taken struct {
	Seq     int64
	Hash    ledger.Hash
	Verdict ledger.Verdict
}

// The bound on what an account stores: maxStored bytes at once, and as many again in each storeSpan. A rejected entry counts
// several times: it is kept for support and the export alone.
const (
	maxStored      = 128 << 20
	storeSpan      = 24 * time.Hour
	storeOverhead  = 256 // bytes of a row besides the entry
	rejectedWeight = 4
)

// storeTime is the time after which an entry does not count any more.
func (j Judged) storeTime() time.Duration {
	size := time.Duration(len(j.Entry.Bytes) + storeOverhead)
	if j.Verdict.Outcome == ledger.Rejected {
		size *= rejectedWeight
	}
	return size * (storeSpan / maxStored)
}

// LedgerStanding is what a batch is judged by, besides the Standing. StoredUntil is when all that the account has stored
// lately does not count any more; zero if it never stored anything.
type LedgerStanding struct {
	StoredUntil time.Time
	Taken       []Taken // those of the device with a seq of the batch, in order
	History     History
	Accepted    map[string]int64 // acts by feature
}

// LedgerStep is the part of a Step that a batch makes.
type LedgerStep struct {
	Head     ledger.Head
	Judged   []Judged         // to be stored
	Actions  int64            // the position of the user's last action, then
	Accepted map[string]int64 // acts that it accepts, by feature
	At       time.Time
	// StoredUntil replaces that of the LedgerStanding, which was Before.
	StoredUntil, Before time.Time
}

// taking is what comes of a batch.
type taking struct {
	step     *LedgerStep // nil if there is nothing to store
	verdicts []Taken
	refused  *ledger.Refusal
	copied   bool // the device's chain is not the one taken before
}

// take judges the batch of an attempt.
func (s *Service) take(ctx context.Context, by attempt, read Standing) (taking, error) {
	device := read.Device
	if by.unreadable != nil && device.Quarantined() {
		return taking{}, nil // its document matters more
	}
	if by.unreadable != nil {
		return taking{}, &LedgerError{by.unreadable}
	}
	entries := by.batch.Entries
	before, after, refused := by.batch.Continue(string(device.ID), device.Ledger)
	switch {
	case device.Quarantined():
		before, after = nil, entries // all are kept
	case refused != nil:
		return taking{}, &LedgerError{refused}
	}
	since, held := by.now, make([]*Span, len(entries))
	for i, entry := range entries {
		if i > 0 && entry.Document == entries[i-1].Document {
			held[i] = held[i-1]
		} else if held[i] = s.held(entry.Document, device.ID, by.token.User); held[i] != nil {
			since = earliest(since, held[i].From)
		}
	}
	known, err := s.store.LedgerStanding(ctx, by.token.User, device.ID, entries[0].Seq, entries[len(entries)-1].Seq, since)
	if err != nil {
		return taking{}, err
	}
	result := taking{refused: by.batch.Refused}
	taken, numbers := map[ledger.Hash]Taken{}, map[int64]bool{}
	for _, t := range known.Taken {
		taken[t.Hash], numbers[t.Seq] = t, true
	}
	for _, entry := range before {
		switch t, found := taken[entry.Hash]; {
		case found:
			result.verdicts = append(result.verdicts, t)
		case numbers[entry.Seq], entry.Seq == device.Ledger.Seq && entry.Hash != device.Ledger.Hash:
			return taking{copied: true}, nil
		}
	}
	step := LedgerStep{
		Head: device.Ledger, Actions: read.Account.Actions, Accepted: map[string]int64{}, At: by.now,
		Before: known.StoredUntil, StoredUntil: known.StoredUntil,
	}
	if step.StoredUntil.Before(by.now) {
		step.StoredUntil = by.now
	}
	for i, entry := range after {
		if t, found := taken[entry.Hash]; found {
			result.verdicts = append(result.verdicts, t) // kept of a quarantined device
			continue
		}
		judged := Judged{Entry: entry, Verdict: Act{
			Entry: entry, Held: held[len(before)+i], Quarantined: device.Quarantined(), Removed: device.Removed,
			Account: read.Account, History: known.History, Accepted: known.Accepted[entry.Feature] + step.Accepted[entry.Feature], ReceivedAt: by.now,
		}.Judge()}
		until := step.StoredUntil.Add(judged.storeTime())
		if until.Sub(by.now) > storeSpan {
			result.refused = &ledger.Refusal{Seq: entry.Seq, Code: ledger.CodeQuota}
			break
		}
		step.StoredUntil = until
		if judged.Verdict.Outcome == ledger.Accepted {
			step.Actions++
			judged.Position = step.Actions
			step.Accepted[entry.Feature]++
		}
		if !device.Quarantined() {
			step.Head = ledger.Head{Seq: entry.Seq, Hash: entry.Hash}
		}
		step.Judged = append(step.Judged, judged)
		result.verdicts = append(result.verdicts, Taken{Seq: entry.Seq, Hash: entry.Hash, Verdict: judged.Verdict})
	}
	if len(step.Judged) > 0 {
		result.step = &step
	}
	return result, nil
}

// held reads the times in the id of a document that this server issued to the device; nil if it did not.
func (s *Service) held(id string, device DeviceID, user UserID) *Span {
	b, err := jose.DecodeBase64(id)
	if err != nil || len(b) != documentIDSize+documentMACSize || !hmac.Equal(b[documentIDSize:], s.documentMAC(b[:documentIDSize], device, user)) {
		return nil
	}
	return &Span{
		From: time.Unix(int64(binary.BigEndian.Uint64(b)), 0), To: time.Unix(int64(binary.BigEndian.Uint64(b[8:])), 0),
	}
}

const (
	documentIDSize  = 8 + 8 + 12
	documentMACSize = 16
)

func (s *Service) documentMAC(id []byte, device DeviceID, user UserID) []byte {
	h := hmac.New(sha256.New, s.documentSecret)
	h.Write([]byte("holdfast document\x00"))
	h.Write(id)
	h.Write([]byte(device + "\x00" + DeviceID(user)))
	return h.Sum(nil)[:documentMACSize]
}

// Action is an act in a user's feed.
type Action struct {
	Position   int64 // in the order of the server, from 1; a changed verdict moves it to the end
	Device     DeviceID
	Entry      ledger.Entry
	Verdict    ledger.Verdict
	ReceivedAt time.Time
}

// Actions lists at most limit acts of the user's feed after a position, which may be 0, in order: those that are accepted,
// and those that were and are superseded.
func (s *Service) Actions(ctx context.Context, user UserID, after int64, limit int) ([]Action, error) {
	return s.store.Actions(ctx, user, after, limit)
}

// ProvenUser returns the user of the device that made the proof, unless it was removed or is quarantined: ErrDeviceUnknown.
func (s *Service) ProvenUser(ctx context.Context, jkt string) (UserID, error) {
	user, device, err := s.store.DeviceByKey(ctx, jkt)
	if err == nil && (device.Removed || device.Quarantined()) {
		err = ErrDeviceUnknown
	}
	if err != nil {
		return "", fmt.Errorf("find device: %w", err)
	}
	return user, nil
}

// LedgerQuery selects stored entries: of a user, with that outcome if it is not "", received before the entry Before if it
// is not zero.
type LedgerQuery struct {
	User    UserID
	Outcome ledger.Outcome
	Before  ledger.Hash
	Limit   int
}

// Ledger lists stored entries, the newest first: those of quarantined devices, too.
func (s *Service) Ledger(ctx context.Context, query LedgerQuery) ([]Action, error) {
	return s.store.Ledger(ctx, query)
}

// maxChanged is how many verdicts can be changed at once.
const maxChanged = 500

// VerdictChange is what a change of verdicts commits.
type VerdictChange struct {
	Changed  []Action         // with their new verdicts and positions
	Actions  int64            // the position of the user's last action, then
	Accepted map[string]int64 // the change in the number of accepted acts, by feature
	Audit    AuditEntry
}

// ChangeVerdicts lets entries in, or supersedes them, whatever the verdict was, and returns all of them. A verdict that is
// so already stays. It fails with [ErrInvalid], and with [ErrNotFound] if the user or one of the entries does not exist.
func (s *Service) ChangeVerdicts(
	ctx context.Context, actor string, user UserID, ids []ledger.Hash, outcome ledger.Outcome, reason string,
) (entries []Action, err error) {
	if err := requireReason(reason); err != nil {
		return nil, err
	}
	switch {
	case outcome != ledger.Accepted && outcome != ledger.Superseded:
		return nil, fmt.Errorf("%w: verdict must be accepted or superseded", ErrInvalid)
	case len(ids) == 0 || len(ids) > maxChanged:
		return nil, fmt.Errorf("%w: entries must be 1 to %d ids", ErrInvalid, maxChanged)
	}
	err = s.store.ChangeVerdicts(ctx, user, ids, s.instant(), func(actions int64, held []Action) (VerdictChange, error) {
		entries = held
		for _, id := range ids {
			if !slices.ContainsFunc(held, func(a Action) bool { return a.Entry.Hash == id }) {
				return VerdictChange{}, ErrNotFound
			}
		}
		change := VerdictChange{Actions: actions, Accepted: map[string]int64{}}
		audited := map[string]int{}
		for i := range entries {
			entry := &entries[i]
			was := entry.Verdict.Outcome
			if was == outcome {
				continue
			}
			audited[string(was)]++
			if was == ledger.Accepted {
				change.Accepted[entry.Entry.Feature]--
			}
			if outcome == ledger.Accepted {
				change.Accepted[entry.Entry.Feature]++
			}
			if entry.Position > 0 || outcome == ledger.Accepted { // whoever follows the feed has to hear of it
				change.Actions++
				entry.Position = change.Actions
			}
			entry.Verdict = ledger.Verdict{Outcome: outcome}
			change.Changed = append(change.Changed, *entry)
		}
		change.Audit = AuditEntry{
			Actor: actor, Action: "ledger." + string(outcome), Object: "user:" + string(user), Reason: reason,
			Before: auditJSON(audited), After: auditJSON(map[string]int{string(outcome): len(change.Changed)}),
		}
		return change, nil
	})
	if err != nil {
		return nil, fmt.Errorf("change verdicts: %w", err)
	}
	return entries, nil
}
