package entitlements

import (
	"context"
	"encoding/json"
	"time"

	"holdfast/entitlements/billing"
)

// Store keeps what this package decides. Each method is atomic. An error that is not one of the sentinels named at the
// method is the store's own and means that nothing is known to have happened.
type Store interface {
	// Secret returns the secret of that name, which all replicas share. Where there is none, candidate becomes it; of
	// two that try at once, both get the winner's.
	Secret(ctx context.Context, name string, candidate []byte) ([]byte, error)

	// MarkKeyset remembers that a keyset is served, if [ServedKeyset.Follows] agrees with what was served before; it
	// returns that error if not. The keyset takes the place of its root's earlier one; a root that is new comes last. Of
	// two that try at once, the second finds the first's. On success, the mark has been committed synchronously.
	MarkKeyset(ctx context.Context, keyset ServedKeyset, roots Roots) error

	// Account reads what a decision about the user depends on at that time, in one snapshot. ErrNotFound without the
	// user.
	Account(ctx context.Context, user UserID, at time.Time) (Account, error)

	// SubscriberAccount is Account for the user whose subscription it is. ErrNotFound without the subscription.
	SubscriberAccount(ctx context.Context, id SubscriptionID, at time.Time) (Account, error)

	// Revisions reads the revisions of users, as of one instant. Those who do not exist are left out.
	Revisions(ctx context.Context, users []UserID) (map[UserID]int64, error)

	// EveryDevice reads all devices of the user that there ever were, the oldest first.
	EveryDevice(ctx context.Context, user UserID) ([]Device, error)

	// Update changes an account at that time. It locks the user's row and then the user's devices, so that it waits for
	// every reconcile under way and holds up those that come; reads the account as it then is; calls change, which must
	// be pure, since it may be called again; and commits what change returns, all of it or nothing, synchronously. The
	// Account that comes back is the one that change saw, with the revision as it is now. An error from change ends it
	// with nothing changed and comes back as it is. ErrNotFound without the user; ErrConflict where a subscription's
	// id, a device's key or its id is taken by somebody else.
	Update(ctx context.Context, user UserID, at time.Time, change func(Account) (Change, error)) (Account, error)

	// TakeBilling keeps an event of a billing system, once by its id, and changes the accounts that it concerns, in one
	// transaction, committed synchronously. It holds the customer, so that events of one come one after another on all
	// replicas; calls judge, which must be pure, with all events of the customer that there are now and the one to judge;
	// finds the user of each [Billed], and the user who has the subscription so far; and changes their accounts as Update
	// does. An event whose id is there is judged as it was kept, unless this one was fetched later. One whose id is another
	// customer's does nothing. Where nobody knows the customer yet, the event is kept for the day when another event that
	// shares a tie ([billing.Event.Ties]) tells.
	//
	// It returns BillingApplied where an account has changed, else BillingUnchanged, but BillingUnclaimed where a change is for
	// somebody whom neither snapshots nor user names know: then all is kept until an event or a new user tells; and
	// BillingErased where nobody has the event and an id in it was that of an account that is erased: then nothing is kept.
	// ErrUserUnknown where a change is for a named user whom nobody knows, ErrConflict as Update, and what judge and changes
	// say; then nothing is kept either.
	TakeBilling(
		ctx context.Context, event billing.Event, at time.Time, judge func(known []billing.Event, event billing.Event) ([]Billed, error),
	) (BillingOutcome, error)

	// UnclaimedBilling reads, of each subscription that is nobody's but would find its user now, an event of the source.
	UnclaimedBilling(ctx context.Context, source string) ([]billing.Event, error)

	// BillingEvents reads what is kept of a user's billing, the oldest first.
	BillingEvents(ctx context.Context, user UserID) ([]billing.Event, error)

	// Clock is the time of the database, which is the same for all replicas.
	Clock(ctx context.Context) (time.Time, error)

	// Standing reads, in one snapshot, what a reconcile of the device is judged by, with the passkeys of the relying party
	// rpID. ErrDeviceUnknown where the user has no device of that id and key.
	Standing(ctx context.Context, user UserID, device DeviceID, jkt, rpID string) (Standing, error)

	// Step stores a step in the device's row, synchronously, if what was read still holds: the lineage, the status of the
	// device, and the revision up to which changes of the account have reached it. Otherwise nothing changes, and it
	// returns false. It waits for an Update under way, and so sees what that changes.
	Step(ctx context.Context, read Standing, step Step) (stored bool, err error)

	// UpdateDevice is Update with that device among the Account's Devices, even if it was removed long ago.
	UpdateDevice(
		ctx context.Context, user UserID, device DeviceID, at time.Time, change func(Account) (Change, error),
	) (Account, error)

	// DeviceByKey finds a device by the thumbprint of its key, DeviceByID by its id. ErrDeviceUnknown if there is none.
	DeviceByKey(ctx context.Context, jkt string) (UserID, Device, error)
	DeviceByID(ctx context.Context, id DeviceID) (UserID, Device, error)

	// SubscriptionOwner and UserByExternalID find the user to change. ErrNotFound if there is none.
	SubscriptionOwner(ctx context.Context, id SubscriptionID) (UserID, error)
	UserByExternalID(ctx context.Context, externalID string) (UserID, error)

	// Plans reads the whole catalogue.
	Plans(ctx context.Context) ([]Plan, error)
	// PutPlan stores a plan, in one transaction with what change makes of the one that it replaces, which nobody else
	// changes meanwhile; nil where the plan is new. An error from change ends it with nothing changed. From then on the plan
	// decides. The holders that are to be raised are remembered with it, and those of an earlier change who have not been are
	// to be raised for both.
	PutPlan(ctx context.Context, plan Plan, at time.Time, change func(before *Plan) (PlanChange, error)) error

	// RaiseHolders raises, in one transaction, the revisions of the next few hundred holders of a plan that has changed,
	// and of their devices. Where documents are to be withdrawn, the status of the devices that lose theirs by
	// [Device.LosesWithPlan] becomes INVALID, and each gets a new index. It returns whether there may be more to do: not where there are no holders to
	// raise, nor while another call is at it.
	RaiseHolders(ctx context.Context, at time.Time) (more bool, err error)

	// StatusChanges reads the status lists in which a status has changed since the mark, each whole and as of one instant.
	// No committed change is ever missed: one that this call does not see is in the answer to the mark that it returns,
	// whatever the order in which transactions began and ended. Lists may be in the answer that have not changed. A mark
	// of a later state of the database, which has been restored since, is as good as none.
	StatusChanges(ctx context.Context, since StatusMark) (StatusChanges, error)

	// Gaps lists the audit entries that tell of a gap and have not been closed, newest first, in so far as their users are
	// still there. CloseGap stores entry, whose Object and User are the gap's, unless there is one that
	// closes this gap already; ErrNotFound where there is no such gap, closed or not, of a user who is still there.
	Gaps(ctx context.Context, query GapQuery) ([]Gap, error)
	CloseGap(ctx context.Context, id int64, entry AuditEntry) error

	// Audit lists entries, newest first.
	Audit(ctx context.Context, query AuditQuery) ([]AuditEntry, error)
	// AuditAfter lists at most limit entries with a higher id, of the user or of all where it is empty, the oldest first.
	AuditAfter(ctx context.Context, user UserID, after int64, limit int) ([]AuditEntry, error)
}

// Account is all that is known of one user's rights.
type Account struct {
	User          UserID
	Revision      int64
	TrialStarted  bool
	Subscriptions []Subscription
	Plans         map[PlanID]Plan // those that the subscriptions name; in Update, all
	// Withdrawing says that a plan of the user's has lost something, and that the documents given before have not been
	// withdrawn yet. In Update alone.
	Withdrawing bool
	// Devices are oldest first, and with them the removed ones that may still hold a document with features. Not in
	// Standing.
	Devices []Device
	// Links are when devices were linked in the [LinkSpan] before, removed ones too, the oldest first. In Update alone.
	Links []time.Time
}

// Decide judges the account at now.
func (a Account) Decide(now time.Time) Decision { return Decide(a.Subscriptions, a.Plans, now) }

// Change is what Update commits. Every change is audited: without Audit nothing changes.
type Change struct {
	// Raise raises the user's revision, and that of every device.
	Raise bool
	// RaiseTo raises the user's revision to at least that, after commits were lost.
	RaiseTo      int64
	Subscription *Subscription  // made or replaced
	Drop         SubscriptionID // a subscription that is not the user's any longer
	StartTrial   bool
	Link         *Device // a new device, with a status list index of its own
	Lineage      *LineageChange
	Remove       []DeviceID
	Place        map[DeviceID]Place
	// Status sets what the status list says of devices. INVALID is final: a device that stays gets a new index.
	Status map[DeviceID]Status
	Audit  []AuditEntry // At and User are Update's
}

// LineageChange replaces a device's lineage and ledger head, and raises its DocumentExpiresAt.
type LineageChange struct {
	Device            DeviceID
	Lineage           Lineage
	Ledger            LedgerHead
	DocumentExpiresAt *time.Time
}

// PlanChange is what PutPlan commits besides the plan.
type PlanChange struct {
	Raise    bool // every holder's revision
	Withdraw bool // the documents that holders have: they promise more than the plan does
	Audit    AuditEntry
}

// AuditEntry is one line of the trail: who did what to which object. Before and After hold ids and enumerations only;
// Reason, the free text, is kept apart and can be erased.
type AuditEntry struct {
	ID     int64
	At     time.Time
	Actor  string // "user:<uuid>", "token:<uuid>", "staff:<uuid>", "device:<uuid>", "billing:<source>", "operator" or "server"
	Action string // "subscription.revoke", …
	Object string // "subscription:<id>", "device:<uuid>", …
	User   string
	Before json.RawMessage
	After  json.RawMessage
	Reason string
}

// auditJSON returns a struct of ids and enumerations as Before or After hold it.
func auditJSON(v any) json.RawMessage {
	text, err := json.Marshal(v)
	if err != nil {
		panic(err) // strings, numbers and booleans marshal
	}
	return text
}

// AuditQuery selects entries: of one user, or of all where User is empty; older than Before, where it is not 0.
type AuditQuery struct {
	User   UserID
	Before int64
	Limit  int
}

// Audit lists the trail, newest first.
func (s *Service) Audit(ctx context.Context, query AuditQuery) ([]AuditEntry, error) {
	return s.store.Audit(ctx, query)
}

// AuditAfter lists at most limit entries with a higher id, of the user or of all where it is empty, the oldest first.
func (s *Service) AuditAfter(ctx context.Context, user UserID, after int64, limit int) ([]AuditEntry, error) {
	return s.store.AuditAfter(ctx, user, after, limit)
}
