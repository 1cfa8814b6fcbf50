package entitlements

import (
	"context"
	"encoding/json"
	"fmt"
	"regexp"
	"time"

	"holdfast/entitlements/billing"
	"holdfast/entitlements/ledger"
)

// Store persists what this package decides. Each method is atomic. An error that is not one of the sentinels named at
// the method is the store's own and means that the outcome is unknown.
type Store interface {
	// Secret returns the secret of that name, which all replicas share. If none is stored, it stores candidate; of
	// concurrent callers, all receive the one stored first.
	Secret(ctx context.Context, name string, candidate []byte) ([]byte, error)

	// MarkKeyset records that a keyset is served, if [ServedKeyset.Follows] permits it after those served before; if
	// not, it returns that error. The keyset replaces the earlier one of its root; a new root is appended. Concurrent
	// calls are serialized. On success, the mark has been committed synchronously.
	MarkKeyset(ctx context.Context, keyset ServedKeyset, roots Roots) error

	// Account reads, in one snapshot, what a decision about the user depends on at that time. ErrNotFound if the user
	// does not exist.
	Account(ctx context.Context, user UserID, at time.Time) (Account, error)

	// SubscriberAccount is Account for the owner of the subscription. ErrNotFound if the subscription does not exist.
	SubscriberAccount(ctx context.Context, id SubscriptionID, at time.Time) (Account, error)

	// Subscriptions reads the subscriptions of users in one snapshot.
	Subscriptions(ctx context.Context, users []UserID) ([]Subscription, error)

	// Subscribers reads at most limit users who have a subscription in one of the selected classes, named by their places
	// in classes, and none in a class of a lower rank than all of those. Unsubscribed reads users without subscriptions.
	Subscribers(ctx context.Context, classes []Class, selected []int, limit int) ([]UserID, error)
	Unsubscribed(ctx context.Context, limit int) ([]UserID, error)
	// Figures counts for the overview; [Figures] says what.
	Figures(ctx context.Context, classes []Class, now time.Time) (Figures, error)

	// Marks reads the marks of users in one snapshot. Users that do not exist are left out.
	Marks(ctx context.Context, users []UserID) (map[UserID]Marks, error)

	// EveryDevice reads all devices that the user ever had, the oldest first.
	EveryDevice(ctx context.Context, user UserID) ([]Device, error)

	// Update changes an account at that time. It locks the user's row and then the user's devices: it waits for every
	// reconcile under way, and later ones wait for it. It then reads the account, calls change, which must be pure
	// because it may be called again, and commits what change returns, all of it or nothing, synchronously. Update
	// returns the Account that change saw, with the new revision. An error from change is returned unchanged, and
	// nothing is stored. ErrNotFound if the user does not exist; ErrConflict if a subscription's id, or a device's key
	// or id, belongs to another user.
	Update(ctx context.Context, user UserID, at time.Time, change func(Account) (Change, error)) (Account, error)

	// UpdateDue is Update for the owner of one of the subscriptions to look at by that time, and stores the Due of
	// each without an audit entry, too. It returns false if there is none, or if another server is at it.
	UpdateDue(ctx context.Context, at time.Time, change func(Account) (Change, error)) (found bool, err error)

	// TakeBilling stores an event of a billing system, once by its id, and changes the accounts that it concerns, in one
	// transaction, committed synchronously. It locks the customer, so that all replicas process a customer's events one
	// after another. It calls judge, which must be pure, with all stored events of the customer and the one to judge.
	// For each [Billed] it finds the user and the current owner of the subscription, and changes their accounts as
	// Update does. An event whose id is stored already is judged as stored, unless this one was fetched later. An event
	// whose id belongs to another customer does nothing. If the customer is not known yet, the event is kept until
	// another event that shares a tie ([billing.Event.Ties]) names the customer.
	//
	// It returns BillingApplied if an account has changed, else BillingUnchanged. It returns BillingUnclaimed if a
	// change is for a user whom neither snapshots nor user names identify: the events are then kept until an event or a
	// new user identifies the owner. It returns BillingErased, and keeps nothing, if no user owns the event and an id in
	// it belonged to an erased account. It fails with ErrUserUnknown if a change names an unknown user, with ErrConflict
	// as Update does, and with the errors of judge and the changes; then it keeps nothing either.
	TakeBilling(
		ctx context.Context, event billing.Event, at time.Time, judge func(known []billing.Event, event billing.Event) ([]Billed, error),
	) (BillingOutcome, error)

	// UnclaimedBilling reads one event of the source for each subscription that has no user but would find one now.
	UnclaimedBilling(ctx context.Context, source string) ([]billing.Event, error)

	// BillingEvents reads the stored billing events of a user, the oldest first.
	BillingEvents(ctx context.Context, user UserID) ([]billing.Event, error)

	// Clock returns the time of the database, which all replicas share.
	Clock(ctx context.Context) (time.Time, error)

	// Standing reads, in one snapshot, the state that a reconcile of the device is judged by, with the passkeys of the
	// relying party rpID. ErrDeviceUnknown if the user has no device of that id and key.
	Standing(ctx context.Context, user UserID, device DeviceID, jkt, rpID string) (Standing, error)

	// Step stores a step in the device's row, synchronously, if the row still matches read: the lineage, the status of
	// the device, and the revision up to which account changes have reached it; with a ledger, the position of the last
	// action, too. Otherwise it changes nothing and returns false. It waits for an Update under way, and so sees the result.
	Step(ctx context.Context, read Standing, step Step) (stored bool, err error)

	// LedgerStanding reads, in one snapshot, what entries of the device from seq first to last are judged by, with the
	// history since that time.
	LedgerStanding(ctx context.Context, user UserID, device DeviceID, first, last int64, since time.Time) (LedgerStanding, error)

	// Actions reads at most limit acts of the user's feed after a position, in order.
	Actions(ctx context.Context, user UserID, after int64, limit int) ([]Action, error)

	// Ledger lists the stored entries that the query selects, the newest first.
	Ledger(ctx context.Context, query LedgerQuery) ([]Action, error)

	// ChangeVerdicts locks the user, and calls change with the position of the last action and those of the entries that
	// exist, the oldest first. It commits what change returns, synchronously, unless that changes nothing. An error from
	// change is returned unchanged, and nothing is stored. ErrNotFound if the user does not exist.
	ChangeVerdicts(
		ctx context.Context, user UserID, ids []ledger.Hash, at time.Time,
		change func(position int64, entries []Action) (VerdictChange, error),
	) error

	// ContentKeys reads, in one snapshot, the epoch of the user's vault, the user's content keys and those of all packs, by
	// epoch. ErrNotFound if the user does not exist.
	ContentKeys(ctx context.Context, user UserID) (ContentKeys, error)
	// PutVaultKey stores a key of the user's, synchronously, unless there is one of that epoch, and returns the stored one.
	PutVaultKey(ctx context.Context, user UserID, key ContentKey) (ContentKey, error)
	// PackKeys reads the keys of a feature's content pack, by epoch.
	PackKeys(ctx context.Context, feature string) ([]ContentKey, error)
	// PutPackKey stores a pack's key with its audit entry; ErrConflict if there is one of that epoch.
	PutPackKey(ctx context.Context, key ContentKey, entry AuditEntry) error

	// UpdateDevice is Update with that device among the Account's Devices, even if it was removed long ago.
	UpdateDevice(
		ctx context.Context, user UserID, device DeviceID, at time.Time, change func(Account) (Change, error),
	) (Account, error)

	// DeviceByKey finds a device by the thumbprint of its key, DeviceByID by its id. ErrDeviceUnknown if none matches.
	DeviceByKey(ctx context.Context, jkt string) (UserID, Device, error)
	DeviceByID(ctx context.Context, id DeviceID) (UserID, Device, error)

	// SubscriptionOwner and UserByExternalID find the user to change. ErrNotFound if none matches.
	SubscriptionOwner(ctx context.Context, id SubscriptionID) (UserID, error)
	UserByExternalID(ctx context.Context, externalID string) (UserID, error)

	// Plans reads the whole catalogue.
	Plans(ctx context.Context) ([]Plan, error)
	// PutPlan stores a plan and what change returns for the plan that it replaces (nil for a new plan), in one
	// transaction; nobody else changes that plan meanwhile. An error from change is returned, and nothing is stored. The
	// new plan decides from then on. The holders to be raised are recorded with it; holders still waiting because of an
	// earlier change are raised for both.
	PutPlan(ctx context.Context, plan Plan, at time.Time, change func(before *Plan) (PlanChange, error)) error

	// RaiseHolders raises, in one transaction, the revisions of the next few hundred holders of a changed plan, and of
	// their devices. If their documents must be withdrawn, the status of the devices selected by [Device.LosesWithPlan]
	// becomes INVALID, and each gets a new index. It returns whether more may be left: false if no holders are left to
	// raise, or while another call is at work.
	RaiseHolders(ctx context.Context, at time.Time) (more bool, err error)

	// StatusChanges reads the status lists in which a status has changed since the mark, each whole and in one snapshot.
	// It never misses a committed change, whatever the order in which transactions begin and end: a change that this
	// call does not see is in the answer to the mark that it returns. The answer may contain unchanged lists. It contains
	// all if the mark names nothing, or if its newest change is unknown: it is too old, or from a later state of a database
	// that has since been restored.
	StatusChanges(ctx context.Context, since StatusMark) (StatusChanges, error)

	// Gaps lists the audit entries that record an open gap, newest first, of users that still exist. CloseGap stores
	// entry, whose Object and User are the gap's, unless the gap is closed already; ErrNotFound if no such gap, open or
	// closed, of an existing user is recorded.
	Gaps(ctx context.Context, query GapQuery) ([]Gap, error)
	CloseGap(ctx context.Context, id string, entry AuditEntry) error

	// Audit lists entries, newest first.
	Audit(ctx context.Context, query AuditQuery) ([]AuditEntry, error)
	// AuditAfter lists at most limit entries with an id above after, which may be "", the oldest first: of the user, or of
	// all if user is empty.
	AuditAfter(ctx context.Context, user UserID, after string, limit int) ([]AuditEntry, error)
}

// Account is the complete state of one user's rights.
type Account struct {
	User          UserID
	ExternalID    string // "" if there is none
	Revision      int64
	TrialStarted  bool
	Subscriptions []Subscription
	Plans         map[PlanID]Plan // the plans of the subscriptions; in Update, the whole catalogue
	// Withdrawing says that a plan of the user's has lost something, and that the documents issued before have not been
	// withdrawn yet. Set in Update only.
	Withdrawing bool
	// Devices are oldest first, and include removed ones that may still hold a document with features. Not set in
	// Standing.
	Devices []Device
	// Links are the times of the links in the last [LinkSpan], of removed devices too, oldest first. Set in Update only.
	Links []time.Time
	// LimitToldAt is when the trail last got the event of the device limit; zero if never. Set in Update only.
	LimitToldAt time.Time
	// Actions is the position of the last act in the user's feed. Set in Standing only.
	Actions int64
}

// Decide judges the account at now.
func (a Account) Decide(now time.Time) Decision { return Decide(a.Subscriptions, a.Plans, now) }

// Change is what Update commits. Every change is audited: without Audit, nothing changes.
type Change struct {
	// Raise raises the user's revision, and that of every device.
	Raise bool
	// RaiseTo raises the user's revision to at least this value, after commits were lost.
	RaiseTo      int64
	Subscription *Subscription  // created or replaced
	LookAt       time.Time      // when to look at Subscription for [Service.TellDue]; zero for never
	Drop         SubscriptionID // a subscription that the user no longer owns
	StartTrial   bool
	// NewVaultEpoch raises the epoch of the user's vault, although no device has lost anything: see RaisesVaultEpoch.
	NewVaultEpoch bool
	TellLimit     bool    // sets LimitToldAt
	Link          *Device // a new device; it gets a new status list index
	Lineage       *LineageChange
	Remove        []DeviceID
	Place         map[DeviceID]Place
	// Status sets the published status of devices. INVALID is final: a device that stays gets a new index.
	Status map[DeviceID]Status
	Due    []Due        // in UpdateDue only
	Audit  []AuditEntry // Update sets At and User
}

// LineageChange replaces a device's lineage and ledger head, and raises its DocumentExpiresAt.
type LineageChange struct {
	Device            DeviceID
	Lineage           Lineage
	Ledger            ledger.Head
	DocumentExpiresAt *time.Time
}

// PlanChange is what PutPlan commits besides the plan.
type PlanChange struct {
	Raise    bool // raise every holder's revision
	Withdraw bool // withdraw the holders' documents, which promise more than the plan
	Audit    AuditEntry
}

// AuditEntry records who did what to which object. Before and After hold ids and enumerations only; Reason, the free
// text, is stored separately and can be erased.
type AuditEntry struct {
	ID     string // in the order of time
	At     time.Time
	Actor  string // "user:<uuid>", "token:<uuid>", "staff:<uuid>", "device:<uuid>", "billing:<source>", "operator" or "server"
	Action string // "subscription.revoke", …
	Object string // "subscription:<id>", "device:<uuid>", …
	User   string
	Before json.RawMessage
	After  json.RawMessage
	Reason string
}

// auditJSON marshals a struct of ids and enumerations for Before or After.
func auditJSON(v any) json.RawMessage {
	text, err := json.Marshal(v)
	if err != nil {
		panic(err) // strings, numbers and booleans marshal
	}
	return text
}

// AuditQuery selects entries. An empty member selects all.
type AuditQuery struct {
	User     UserID
	Actor    string    // as in AuditEntry, whole
	Action   string    // likewise
	From, To time.Time // To excluded
	Before   string    // an id: older entries only
	Limit    int
}

// auditName matches what actors and actions are made of.
var auditName = regexp.MustCompile(`^[a-z][A-Za-z0-9_.:-]{0,127}$`)

// Audit lists the trail, newest first. It fails with [ErrInvalid] for an actor or action that no entry could have.
func (s *Service) Audit(ctx context.Context, query AuditQuery) ([]AuditEntry, error) {
	for _, name := range []string{query.Actor, query.Action} {
		if name != "" && !auditName.MatchString(name) {
			return nil, fmt.Errorf("%w: actor and action are names like staff:<uuid> and subscription.revoke", ErrInvalid)
		}
	}
	return s.store.Audit(ctx, query)
}

// AuditAfter lists at most limit entries with an id above after, which may be "", the oldest first: of the user, or of all
// if user is empty.
func (s *Service) AuditAfter(ctx context.Context, user UserID, after string, limit int) ([]AuditEntry, error) {
	return s.store.AuditAfter(ctx, user, after, limit)
}
