package api

import (
	"maps"
	"net/http"
	"slices"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"holdfast/entitlements"
	"holdfast/passkey"
)

// adminUser is a user as support sees it.
type adminUser struct {
	ID         passkey.UserID `json:"id"`
	Name       string         `json:"name"`
	ExternalID *string        `json:"external_id"`
	CreatedAt  time.Time      `json:"created_at"`
}

func adminUserOf(u passkey.User) adminUser {
	return adminUser{u.ID, u.Name, orNull(u.ExternalID), u.CreatedAt.UTC()}
}

// adminSession is one of the user's live sessions, for display only: it gives support no access.
type adminSession struct {
	ID              string    `json:"id"`
	UserAgent       string    `json:"user_agent"`
	AuthenticatedAt time.Time `json:"authenticated_at"`
	LastActiveAt    time.Time `json:"last_active_at"`
	ExpiresAt       time.Time `json:"expires_at"`
}

// listedUser is a user in a list, with what they have now.
type listedUser struct {
	adminUser
	State entitlements.State   `json:"state"`
	Plan  *entitlements.PlanID `json:"plan"`
	Trial bool                 `json:"trial"`
}

// Package entitlements alone can tell who has a state or plan. A request that selects them first looks through a few users
// in order, which fills the page if many have it. If not, it looks at the candidates only; or, if those are many, through
// more users: then a page may be short, or empty, although others follow.
const (
	lookedFirst   = maxLimit
	maxCandidates = 10_000
	lookedThrough = 2000
)

func (s *server) findUsers(w http.ResponseWriter, r *http.Request, _ caller) error {
	limit, err := queryLimit(r)
	if err != nil {
		return err
	}
	query := r.URL.Query()
	filter := entitlements.HoldingFilter{State: entitlements.State(query.Get("state")), Plan: entitlements.PlanID(query.Get("plan"))}
	if err := filter.Check(); err != nil {
		return err
	}
	switch trial := query.Get("trial"); trial {
	case "", "true":
		filter.Trial = trial != ""
	default:
		return refusal{invalidRequest.status, invalidRequest.code, "trial must be true, or missing."}
	}
	search := passkey.UserQuery{Text: query.Get("q"), Order: passkey.UserOrder(query.Get("sort")), Cursor: query.Get("cursor"), Limit: limit}
	if search.From, err = queryTime(r, "from"); err != nil {
		return err
	}
	if search.To, err = queryTime(r, "to"); err != nil {
		return err
	}
	looked := limit
	if filter != (entitlements.HoldingFilter{}) {
		looked, search.Limit = lookedThrough, maxLimit
	}
	found := []listedUser{}
	for more := true; more; more = search.Cursor != "" && looked > 0 && len(found) < limit {
		if search.Among == nil && looked == lookedThrough-lookedFirst {
			candidates, few, err := s.entitlements.Candidates(r.Context(), filter, maxCandidates)
			if err != nil {
				return err
			}
			if few {
				search.Among = each(candidates, func(id entitlements.UserID) passkey.UserID { return passkey.UserID(id) })
			}
		}
		users, next, err := s.passkeys.FindUsers(r.Context(), search)
		if err != nil {
			return err
		}
		holdings, err := s.entitlements.Holdings(r.Context(), each(users, func(u passkey.User) entitlements.UserID { return entitlements.UserID(u.ID) }))
		if err != nil {
			return err
		}
		search.Cursor, looked = next, looked-len(users)
		for i, user := range users {
			has := holdings[entitlements.UserID(user.ID)]
			if !filter.Selects(has) {
				continue
			}
			found = append(found, listedUser{adminUserOf(user), has.State, orNull(has.Plan), has.Trial})
			if len(found) == limit && i < len(users)-1 {
				search.Cursor = passkey.Cursor(user)
				break
			}
		}
	}
	return answer(w, http.StatusOK, struct {
		Users []listedUser `json:"users"`
		Next  *string      `json:"next"`
	}{found, orNull(search.Cursor)})
}

// createUser creates an account for an existing customer. The link is shown once and is the only way into the account.
func (s *server) createUser(w http.ResponseWriter, r *http.Request, by caller) error {
	var request struct {
		Name       string `json:"name"`
		ExternalID string `json:"external_id"`
		Reason     string `json:"reason"`
	}
	if err := decode(r, &request); err != nil {
		return err
	}
	created, enrolment, err := s.passkeys.CreateUser(r.Context(), by.agent(request.Reason), request.Name, request.ExternalID)
	if err != nil && request.ExternalID == "" {
		return notTwice(err, "Search for the user by name before you send it again: without an external id, that may make a second user.")
	}
	if err != nil {
		return err
	}
	return answer(w, http.StatusCreated, struct {
		User      adminUser `json:"user"`
		Enrolment link      `json:"enrolment"`
	}{adminUserOf(created), s.linkOf(enrolment)})
}

// changeUser sets or removes the external id of an account.
func (s *server) changeUser(w http.ResponseWriter, r *http.Request, by caller) error {
	id, err := pathUUID(r)
	if err != nil {
		return err
	}
	var request struct {
		ExternalID jsontext.Value `json:"external_id"`
		Reason     string         `json:"reason"`
	}
	if err := decode(r, &request); err != nil {
		return err
	}
	var externalID *string // null removes the id; a missing member is refused
	if len(request.ExternalID) == 0 || json.Unmarshal(request.ExternalID, &externalID) != nil || externalID != nil && *externalID == "" {
		return refusal{invalidRequest.status, invalidRequest.code, "external_id must be a non-empty text, or null to remove it."}
	}
	changed, err := s.passkeys.SetExternalID(r.Context(), by.agent(request.Reason), passkey.UserID(id), textOf(externalID))
	if err != nil {
		return err
	}
	return answer(w, http.StatusOK, struct {
		User adminUser `json:"user"`
	}{adminUserOf(changed)})
}

// link is a one-time link, shown once. Without a page that it could lead to, it is a code alone.
type link struct {
	URL       *string   `json:"url"`
	Code      string    `json:"code"`
	ExpiresAt time.Time `json:"expires_at"`
}

func (s *server) linkOf(l passkey.Link) link {
	return link{orNull(LinkURL(s.origin, s.appURL, l)), l.Code, l.ExpiresAt.UTC()}
}

// LinkURL returns the address of a link: at app for users, empty if app is, and in the console of the server at origin for
// staff. The code is in the fragment, so it never appears in a server's log.
func LinkURL(origin, app string, l passkey.Link) string {
	page, way := app, "recover"
	if l.Role != "" {
		page = origin + consolePath
	}
	switch {
	case page == "":
		return ""
	case l.Kind == passkey.EnrolmentLink && l.Role != "":
		way = "invite"
	case l.Kind == passkey.EnrolmentLink:
		way = "enrol"
	}
	return page + "#" + way + "=" + l.Code
}

// recoverUser creates a link for a user who has lost every passkey. Support must verify the recipient's identity.
func (s *server) recoverUser(w http.ResponseWriter, r *http.Request, by caller) error {
	id, err := pathUUID(r)
	if err != nil {
		return err
	}
	reason, err := optionalReason(r)
	if err != nil {
		return err
	}
	made, err := s.passkeys.CreateRecoveryLink(r.Context(), by.agent(reason), passkey.UserID(id))
	if err != nil {
		return err
	}
	return answer(w, http.StatusCreated, struct {
		Recovery link `json:"recovery"`
	}{s.linkOf(made)})
}

// signOutUser ends the user's sessions and, on request, unlinks the devices. An interrupted call can be repeated.
func (s *server) signOutUser(w http.ResponseWriter, r *http.Request, by caller) error {
	id, err := pathUUID(r)
	if err != nil {
		return err
	}
	var request struct {
		Devices bool   `json:"devices"`
		Reason  string `json:"reason"`
	}
	if err := decodeOptional(r, &request); err != nil {
		return err
	}
	if err := s.passkeys.SignOutUser(r.Context(), by.agent(request.Reason), passkey.UserID(id)); err != nil {
		return err
	}
	if request.Devices {
		if err := s.entitlements.UnlinkAll(r.Context(), by.actor, entitlements.UserID(id), request.Reason); err != nil {
			return err
		}
	}
	return noContent(w)
}

// judgedSubscription is a subscription with its current effect.
type judgedSubscription struct {
	subscription
	Worth worth `json:"worth"`
}

type worth struct {
	State   entitlements.State   `json:"state"`
	Reason  *entitlements.Reason `json:"reason"`
	EndsAt  time.Time            `json:"ends_at"`
	Decides bool                 `json:"decides"`
}

// places says how many devices count against the limit on them.
type places struct {
	Taken int `json:"taken"`
	Limit int `json:"limit"`
}

// heldPlan is a plan with the time at which days granted now would begin to count.
type heldPlan struct {
	plan
	GrantsFrom time.Time `json:"grants_from"`
}

// showUser returns everything that support needs to answer a call: the user, their entitlements and the reasons, and their
// devices.
func (s *server) showUser(w http.ResponseWriter, r *http.Request, _ caller) error {
	id, err := pathUUID(r)
	if err != nil {
		return err
	}
	ctx, holder := r.Context(), entitlements.UserID(id)
	shown, err := s.passkeys.User(ctx, passkey.UserID(id))
	if err != nil {
		return err
	}
	passkeys, err := s.passkeys.Passkeys(ctx, shown.ID)
	if err != nil {
		return err
	}
	role, err := s.passkeys.RoleOf(ctx, shown.ID)
	if err != nil {
		return err
	}
	live, err := s.passkeys.Sessions(ctx, shown.ID)
	if err != nil {
		return err
	}
	notes, err := s.passkeys.Notes(ctx, shown.ID)
	if err != nil {
		return err
	}
	account, err := s.entitlements.Account(ctx, holder)
	if err != nil {
		return err
	}
	trail, err := s.entitlements.Audit(ctx, entitlements.AuditQuery{User: holder, Limit: defaultLimit})
	if err != nil {
		return err
	}
	billing, err := s.billingURL(ctx, shown)
	if err != nil {
		return err
	}
	now := s.now()
	judged := account.Decide(now)
	subscriptions := make([]judgedSubscription, 0, len(account.Subscriptions))
	for i, each := range account.Worth(now) {
		subscriptions = append(subscriptions, judgedSubscription{
			subscriptionOf(account.Subscriptions[i]), worth{each.State, orNull(each.Reason), each.End.UTC(), each.Decides},
		})
	}
	plans := make([]heldPlan, 0, len(account.Plans))
	for _, id := range slices.Sorted(maps.Keys(account.Plans)) {
		plans = append(plans, heldPlan{planOf(account.Plans[id]), account.GrantsFrom(id, now).UTC()})
	}
	sessions := each(live, func(l passkey.Session) adminSession {
		return adminSession{l.ID, l.UserAgent, l.AuthenticatedAt.UTC(), l.LastActiveAt.UTC(), l.ExpiresAt.UTC()}
	})
	return answer(w, http.StatusOK, struct {
		User          adminUser            `json:"user"`
		BillingURL    *string              `json:"billing_url"` // of the customer's page in the billing system
		Role          *passkey.Role        `json:"role"`
		Revision      int64                `json:"revision"`
		TrialStarted  bool                 `json:"trial_started"`
		OfflineWindow int64                `json:"offline_window"` // in seconds
		Decision      decision             `json:"decision"`
		Subscriptions []judgedSubscription `json:"subscriptions"`
		Plans         []heldPlan           `json:"plans"` // of the subscriptions
		Places        places               `json:"places"`
		Devices       []adminDevice        `json:"devices"`
		Passkeys      []passkeyItem        `json:"passkeys"`
		Sessions      []adminSession       `json:"sessions"` // live ones
		Notes         []note               `json:"notes"`
		Audit         []auditEntry         `json:"audit"`
	}{
		adminUserOf(shown), orNull(billing), orNull(role), account.Revision, account.TrialStarted, int64(s.entitlements.OfflineWindow() / time.Second),
		decisionOf(judged), subscriptions, plans,
		places{len(account.Occupants(now)), judged.DeviceLimit}, supportDevices(account, now), each(passkeys, passkeyOf), sessions, each(notes, noteOf), each(trail, auditEntryOf),
	})
}
