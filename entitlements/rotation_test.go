package entitlements_test

import (
	"crypto/rand"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"holdfast/entitlements"
	"holdfast/entitlements/jose"
)

const window = 7 * day

// apply signs a proposal with a root of keys and accepts the keyset.
func apply(t testing.TB, keys entitlements.Keys, at time.Time) func(entitlements.Proposal, jose.PrivateKey, error) entitlements.Keys {
	return func(proposal entitlements.Proposal, made jose.PrivateKey, err error) entitlements.Keys {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		if !made.IsZero() {
			keys.Signing = append(slices.Clone(keys.Signing), made)
		}
		root, ok := keys.RootKey(proposal.Root)
		if !ok {
			t.Fatalf("root %s is not here", proposal.Root)
		}
		compact, err := proposal.Sign(root)
		if err != nil {
			t.Fatal(err)
		}
		before := keys.Keyset.Version
		if keys, err = keys.Accept(compact, at); err != nil {
			t.Fatal(err)
		}
		if keys.Keyset.Version <= before {
			t.Fatalf("version %d after %d", keys.Keyset.Version, before)
		}
		return keys
	}
}

// renew adapts Renew to apply: it makes no signing key.
func renew(keys entitlements.Keys, at time.Time, life time.Duration, above int64) (entitlements.Proposal, jose.PrivateKey, error) { //nolint:unparam // for apply
	proposal, err := keys.Renew(at, life, above)
	return proposal, jose.PrivateKey{}, err
}

func entry(t testing.TB, keys entitlements.Keys, id string) entitlements.KeysetKey {
	t.Helper()
	for _, entry := range keys.Keyset.Keys {
		if entry.KeyID == id {
			return entry
		}
	}
	t.Fatalf("the keyset does not name %s", id)
	return entitlements.KeysetKey{}
}

func wantSigner(t testing.TB, keys entitlements.Keys, at time.Time, id string) {
	t.Helper()
	if key, ok := keys.Signer(at); !ok || key.ID() != id {
		t.Errorf("%s signs at %v, want %s", key.ID(), at, id)
	}
}

func documentAt(t testing.TB, key jose.PrivateKey, at time.Time) string {
	t.Helper()
	claims := documentClaims()
	for name, after := range map[string]time.Duration{"iat": 0, "nbf": 0, "exp": window, "refresh_after": day, "paid_through": 30 * day} {
		claims[name] = at.Add(after).Unix()
	}
	return signed(t, key, "entitlement+jwt", claims)
}

func TestRotate(t *testing.T) {
	keys := generateKeys(t)
	a := keys.Signing[0]
	keys = apply(t, keys, noon)(keys.Rotate(rand.Reader, noon, day, window))
	b := keys.Signing[1]
	turn := noon.Add(day)

	wantSigner(t, keys, turn.Add(-time.Second), a.ID())
	wantSigner(t, keys, turn, b.ID())
	if got, end := entry(t, keys, a.ID()), entry(t, keys, b.ID()); got.ExpiresAt != turn.Unix() || end.NotBefore != turn.Unix() || end.ExpiresAt != keys.Keyset.ExpiresAt {
		t.Errorf("the turns do not follow each other: %+v, %+v", got, end)
	}
	verifier := entitlements.Verifier{Keyset: keys.Keyset, Issuer: issuer}
	last := documentAt(t, a, turn.Add(-time.Second))
	if _, err := verifier.Verify(last, turn.Add(6*day)); err != nil {
		t.Errorf("the last document under the old key: %v", err)
	}
	for name, late := range map[string]string{"the old key, after its turn": documentAt(t, a, turn), "the new key, before its turn": documentAt(t, b, turn.Add(-time.Second))} {
		if _, err := verifier.Verify(late, turn.Add(time.Hour)); !errors.Is(err, entitlements.KeyOutsideValidity) {
			t.Errorf("a document under %s: %v", name, err)
		}
	}

	if _, _, err := keys.Rotate(rand.Reader, turn.Add(-time.Second), day, window); err == nil || !strings.Contains(err.Error(), "published already") {
		t.Errorf("rotated while a key waits for its turn: %v", err)
	}
	// The old key is dropped when the last document under it has ended, to the second.
	for at, names := range map[time.Time]int{turn.Add(window - time.Second): 3, turn.Add(window): 2} {
		rotated := apply(t, keys, at)(keys.Rotate(rand.Reader, at, day, window))
		if got := len(rotated.Keyset.Keys); got != names {
			t.Errorf("%v after the turn the keyset names %d keys, want %d", at.Sub(turn), got, names)
		}
		wantSigner(t, rotated, at, b.ID())
	}

	// At once, even in the second in which the last key was made.
	fresh := generateKeys(t)
	now := apply(t, fresh, noon)
	rotated := now(fresh.Rotate(rand.Reader, noon, 0, window))
	wantSigner(t, rotated, noon.Add(time.Second), rotated.Signing[1].ID())

	end := keys.Keyset.End()
	if _, _, err := keys.Rotate(rand.Reader, end.Add(-day), day, window); err == nil || !strings.Contains(err.Error(), "renew") {
		t.Errorf("a key whose turn would come after the keyset's end: %v", err)
	}
}

func TestRetire(t *testing.T) {
	keys := generateKeys(t)
	a := keys.Signing[0]
	if _, _, err := keys.Retire(rand.Reader, noon, a.ID(), false); !errors.Is(err, entitlements.ErrLastSigningKey) {
		t.Errorf("the only key was withdrawn: %v", err)
	}
	if _, _, err := keys.Retire(rand.Reader, noon, keys.Root.ID(), true); err == nil || !strings.Contains(err.Error(), "names no signing key") {
		t.Errorf("a key that is none of ours: %v", err)
	}

	replaced := apply(t, keys, noon)(keys.Retire(rand.Reader, noon, a.ID(), true))
	c := replaced.Signing[1]
	wantSigner(t, replaced, noon, c.ID())
	verifier := entitlements.Verifier{Keyset: replaced.Keyset, Issuer: issuer}
	if _, err := verifier.Verify(documentAt(t, a, noon), noon); !errors.Is(err, entitlements.KeyUnknown) {
		t.Errorf("a document under the withdrawn key: %v", err)
	}
	if _, err := verifier.Verify(documentAt(t, c, noon), noon); err != nil {
		t.Errorf("a document under its replacement: %v", err)
	}

	both := apply(t, keys, noon)(keys.Rotate(rand.Reader, noon, day, window))
	b := both.Signing[1]
	// Without the next key, the present one signs until the end, and no key is made.
	alone := apply(t, both, noon)(both.Retire(rand.Reader, noon.Add(time.Hour), b.ID(), true))
	if len(alone.Keyset.Keys) != 1 || len(alone.Signing) != 2 || entry(t, alone, a.ID()).ExpiresAt != alone.Keyset.ExpiresAt {
		t.Errorf("without the next key: %+v", alone.Keyset.Keys)
	}
	// Without the present key, its replacement signs until the next one's turn, which stays as published.
	at := noon.Add(time.Hour)
	if _, _, err := both.Retire(rand.Reader, at, a.ID(), false); !errors.Is(err, entitlements.ErrLastSigningKey) {
		t.Errorf("the present key was withdrawn before the next one's turn: %v", err)
	}
	bridged := apply(t, both, at)(both.Retire(rand.Reader, at, a.ID(), true))
	wantSigner(t, bridged, noon.Add(day-time.Second), bridged.Signing[2].ID())
	wantSigner(t, bridged, noon.Add(day), b.ID())
	if got := entry(t, bridged, bridged.Signing[2].ID()); got.ExpiresAt != noon.Add(day).Unix() {
		t.Errorf("the replacement's turn does not end with the next one's: %+v", got)
	}
	// Without a key whose turn is over, nothing else changes, and no such key returns.
	at = noon.Add(2 * day)
	wantSigner(t, apply(t, both, at)(both.Retire(rand.Reader, at, a.ID(), false)), at, b.ID())
	if _, _, err := both.Retire(rand.Reader, at, b.ID(), false); !errors.Is(err, entitlements.ErrLastSigningKey) {
		t.Errorf("a key that has had its turn signs again: %v", err)
	}
}

func TestRenew(t *testing.T) {
	keys := generateKeys(t)
	keys = apply(t, keys, noon)(keys.Rotate(rand.Reader, noon, day, window))
	a, b := keys.Signing[0], keys.Signing[1]
	for name, at := range map[string]time.Time{"in time": noon.Add(300 * day), "too late": noon.Add(500 * day)} {
		renewed := apply(t, keys, at)(renew(keys, at, entitlements.KeysetLife, 0))
		if renewed.Keyset.End() != at.Add(entitlements.KeysetLife) || renewed.Keyset.Version != keys.Keyset.Version+1 {
			t.Errorf("%s: %+v", name, renewed.Keyset)
		}
		wantSigner(t, renewed, renewed.Keyset.End().Add(-time.Second), b.ID())
		if entry(t, renewed, a.ID()) != entry(t, keys, a.ID()) {
			t.Errorf("%s: the old key has changed", name)
		}
	}
	if jumped := apply(t, keys, noon)(renew(keys, noon, day*30, 41)); jumped.Keyset.Version != 42 || entry(t, jumped, b.ID()).ExpiresAt != noon.Add(30*day).Unix() {
		t.Errorf("above 41: %+v", jumped.Keyset)
	}
	if _, err := keys.Renew(noon, time.Hour, 0); err == nil {
		t.Error("a keyset that ends before the next key's turn")
	}
	// These operations fail after the keyset's end until it is renewed.
	late := keys.Keyset.End()
	if _, _, err := keys.Rotate(rand.Reader, late, day, window); err == nil {
		t.Error("rotated after the keyset's end")
	}
	if _, _, err := keys.Retire(rand.Reader, late, a.ID(), true); !errors.Is(err, entitlements.ErrKeysetEnded) {
		t.Errorf("retired after the keyset's end: %v", err)
	}
}

func TestRootSwitch(t *testing.T) {
	keys := generateKeys(t)
	if _, err := keys.SwitchRoot(noon); err == nil {
		t.Error("switched to no root")
	}
	if _, err := keys.PromoteRoot(); err == nil {
		t.Error("promoted no root")
	}
	only := keys.Roots
	roots, next, err := keys.AddNextRoot(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	keys.Roots, keys.NextRoot = roots, next
	if _, _, err := keys.AddNextRoot(rand.Reader); err == nil {
		t.Error("a third root")
	}
	if _, err := keys.PromoteRoot(); err == nil || !strings.Contains(err.Error(), "switch to the next one first") {
		t.Errorf("promoted a root that has signed nothing: %v", err)
	}

	byCurrent := apply(t, keys, noon)(renew(keys, noon, 300*day, 90))
	keys.Root = jose.PrivateKey{} // lost or stolen: the switch does not need it
	proposal, err := keys.SwitchRoot(noon)
	switched := apply(t, keys, noon)(proposal, jose.PrivateKey{}, err)
	if _, err := switched.SwitchRoot(noon); err == nil {
		t.Error("switched twice")
	}
	promoted, err := switched.PromoteRoot()
	if err != nil || promoted.Current.ID() != next.ID() || !promoted.Next.IsZero() {
		t.Fatalf("promoted: %+v, %v", promoted, err)
	}
	for name, test := range map[string]struct {
		roots entitlements.Roots
		want  error
	}{"only the old root": {only, entitlements.RootUnknown}, "both": {roots, nil}, "only the new root": {promoted, nil}} {
		if _, err := test.roots.VerifyKeyset(switched.Compact, issuer, noon); !errors.Is(err, test.want) || (err == nil) != (test.want == nil) {
			t.Errorf("an app with %s: %v, want %v", name, err, test.want)
		}
	}
	// A keyset by the next root outranks all by the current one, whatever their version.
	if _, err := switched.Accept(byCurrent.Compact, noon); !errors.Is(err, entitlements.KeysetRollback) {
		t.Errorf("back to the current root with version %d: %v", byCurrent.Keyset.Version, err)
	}
	// From now on the next root signs, before and after its promotion.
	rotated := apply(t, switched, noon)(switched.Rotate(rand.Reader, noon, day, window))
	rotated.Roots, rotated.Root, rotated.NextRoot = promoted, next, jose.PrivateKey{}
	apply(t, rotated, noon)(renew(rotated, noon, 100*day, 0))
}

func TestAccept(t *testing.T) {
	first := generateKeys(t)
	proposal, err := first.Renew(noon, 100*day, 0)
	if err != nil {
		t.Fatal(err)
	}
	sign := func(root jose.PrivateKey, edit func(*entitlements.Keyset)) string {
		keyset := proposal.Keyset
		keyset.Keys = slices.Clone(keyset.Keys)
		edit(&keyset)
		return signed(t, root, "keyset+jwt", keyset)
	}
	second := sign(first.Root, func(*entitlements.Keyset) {})
	keys, err := first.Accept(second, noon)
	if err != nil {
		t.Fatal(err)
	}
	if again, err := keys.Accept(second, noon); err != nil || again.Compact != second {
		t.Errorf("the same keyset: %v", err)
	}
	other := generateKeys(t)
	for name, test := range map[string]struct {
		keyset string
		want   error
	}{
		"older":                            {first.Compact, entitlements.KeysetRollback},
		"the same version with other keys": {sign(first.Root, func(k *entitlements.Keyset) { k.ExpiresAt-- }), entitlements.KeysetRollback},
		"ended":                            {sign(first.Root, func(k *entitlements.Keyset) { k.Version, k.IssuedAt, k.ExpiresAt = 3, noon.Unix()-1, noon.Unix() }), entitlements.KeysetExpired},
		"another issuer":                   {sign(first.Root, func(k *entitlements.Keyset) { k.Version, k.Issuer = 3, "https://evil.example" }), entitlements.IssuerMismatch},
		"another root":                     {sign(other.Root, func(k *entitlements.Keyset) { k.Version = 3 }), entitlements.RootUnknown},
		"a signing key as root":            {sign(first.Signing[0], func(k *entitlements.Keyset) { k.Version = 3 }), entitlements.RootUnknown},
		"turns that end before they begin": {sign(first.Root, func(k *entitlements.Keyset) { k.Version, k.Keys[0].ExpiresAt = 3, k.Keys[0].NotBefore }), entitlements.ClaimsInvalid},
	} {
		if got, err := keys.Accept(test.keyset, noon); !errors.Is(err, test.want) || got.Compact != "" {
			t.Errorf("%s: %v, want %v", name, err, test.want)
		}
	}
	stranger := sign(first.Root, func(k *entitlements.Keyset) {
		k.Version = 3
		added := other.Keyset.Keys[0]
		added.NotBefore, added.ExpiresAt = noon.Add(day).Unix(), k.ExpiresAt
		k.Keys = append(k.Keys, added)
	})
	if _, err := keys.Accept(stranger, noon); err == nil || !strings.Contains(err.Error(), other.Signing[0].ID()) {
		t.Errorf("a key to come whose private half is not here: %v", err)
	}
}

func TestProposal(t *testing.T) {
	keys := generateKeys(t)
	proposal, _, err := keys.Rotate(rand.Reader, noon, day, window)
	if err != nil {
		t.Fatal(err)
	}
	text, err := proposal.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	read, err := entitlements.ParseProposal(text)
	if err != nil {
		t.Fatal(err)
	}
	if again, err := read.Marshal(); err != nil || string(again) != string(text) {
		t.Errorf("%s became %s: %v", text, again, err)
	}
	if strings.Contains(string(text), `"d"`) {
		t.Error("a proposal holds a private key")
	}
	for name, root := range map[string]jose.PrivateKey{"another root": generateKeys(t).Root, "no root": {}, "a signing key": keys.Signing[0]} {
		if _, err := read.Sign(root); err == nil {
			t.Errorf("signed by %s", name)
		}
	}
	for name, edit := range map[string][2]string{
		"an unknown member": {`{"root"`, `{"comment":"","root"`},
		"no version":        {`"version":2`, `"version":0`},
		"a kid of no key":   {`"kid":"` + keys.Signing[0].ID(), `"kid":"` + keys.Root.ID()},
	} {
		edited := strings.Replace(string(text), edit[0], edit[1], 1)
		if _, err := entitlements.ParseProposal([]byte(edited)); err == nil || edited == string(text) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A database accepts keysets that follow those it has served. It refuses an older one as devices do, and one of another
// root or origin before anything changes.
func TestServedKeysetFollows(t *testing.T) {
	keys, others := generateKeys(t), generateKeys(t)
	both, next, err := keys.AddNextRoot(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	const here, there = "https://app.example.com", "https://elsewhere.example.com"
	of := func(root jose.PrivateKey, version int64, digest string, issuer string) entitlements.ServedKeyset {
		return entitlements.ServedKeyset{KeysetMark: entitlements.KeysetMark{Root: root.ID(), Version: version, Digest: digest}, Issuer: issuer}
	}
	current := keys.Root
	once := []entitlements.ServedKeyset{of(current, 5, "5", here)}
	switched := []entitlements.ServedKeyset{of(current, 5, "5", here), of(next, 7, "7", here)}
	local := []entitlements.ServedKeyset{of(current, 5, "5", "http://localhost:8080")}
	const taken, older, foreign = "taken", "older", "foreign"
	for name, test := range map[string]struct {
		served []entitlements.ServedKeyset
		keyset entitlements.ServedKeyset
		roots  entitlements.Roots
		want   string
	}{
		"the first of all":                {nil, of(current, 1, "1", here), keys.Roots, taken},
		"the same":                        {switched, of(next, 7, "7", here), both, taken},
		"newer":                           {switched, of(next, 8, "8", here), both, taken},
		"older":                           {switched, of(next, 6, "6", here), both, older},
		"the same version, other bytes":   {switched, of(next, 7, "8", here), both, older},
		"the root before":                 {switched, of(current, 8, "8", here), both, older},
		"the root before, what it served": {switched, of(current, 5, "5", here), both, older},
		"the next root":                   {once, of(next, 6, "6", here), both, taken},
		"a root never seen":               {once, of(others.Root, 9, "9", here), others.Roots, foreign},
		"a next root of another folder":   {once, of(next, 6, "6", here), entitlements.Roots{Current: others.Roots.Current, Next: both.Next}, foreign},
		"another origin":                  {once, of(current, 6, "6", there), keys.Roots, foreign},
		"another port on this machine":    {local, of(current, 6, "6", "http://localhost:8081"), keys.Roots, taken},
		"from the web to this machine":    {once, of(current, 6, "6", "http://localhost:8080"), keys.Roots, foreign},
		"from this machine to the web":    {local, of(current, 6, "6", here), keys.Roots, foreign},
	} {
		got := taken
		if err := test.keyset.Follows(test.served, test.roots); errors.Is(err, entitlements.KeysetRollback) {
			got = older
		} else if wrong := (*entitlements.ForeignKeysetError)(nil); errors.As(err, &wrong) {
			got = foreign
		} else if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if got != test.want {
			t.Errorf("%s: %s, want %s", name, got, test.want)
		}
	}
}

// An operator can make the database adopt any keyset except an older one of the same root and origin.
func TestServedKeysetAdopt(t *testing.T) {
	keyset := generateKeys(t).Keyset.Served()
	newer, moved, other := keyset, keyset, generateKeys(t).Keyset.Served()
	newer.Version++
	moved.Issuer, moved.Version = "https://elsewhere.example.com", keyset.Version+1
	if _, err := keyset.Adopt([]entitlements.ServedKeyset{newer}, "operator", noon); !errors.Is(err, entitlements.KeysetRollback) {
		t.Errorf("an older keyset: %v", err)
	}
	for name, served := range map[string][]entitlements.ServedKeyset{
		"nothing": nil, "the same": {keyset}, "another root": {other}, "another origin": {moved}, "several": {moved, other},
	} {
		entry, err := keyset.Adopt(served, "operator", noon)
		if err != nil || entry.Action != "keyset.adopted" || !strings.Contains(string(entry.After), keyset.Root) ||
			len(served) > 0 && !strings.Contains(string(entry.Before), served[len(served)-1].Issuer) {
			t.Errorf("%s: %+v, %v", name, entry, err)
		}
	}
}

// A folder can be read whatever operation was cut short in it, and is refused for service if a future key is missing.
func TestReadKeys(t *testing.T) {
	keys := generateKeys(t)
	keys = apply(t, keys, noon)(keys.Rotate(rand.Reader, noon, day, window))
	roots, next, err := keys.AddNextRoot(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	files := func(keys entitlements.Keys) fstest.MapFS {
		files, err := keys.Files()
		if err != nil {
			t.Fatal(err)
		}
		folder := fstest.MapFS{}
		for name, data := range files {
			folder[name] = &fstest.MapFile{Data: data}
		}
		return folder
	}

	begun := keys
	begun.NextRoot = next // its private key exists, but roots.json does not name it yet
	if read, err := entitlements.ReadKeys(files(begun)); err != nil || !read.NextRoot.IsZero() || read.Root.ID() != keys.Root.ID() {
		t.Errorf("a next root that was begun: %v", err)
	}
	begun.Roots = roots
	if read, err := entitlements.ReadKeys(files(begun)); err != nil || read.NextRoot.ID() != next.ID() {
		t.Errorf("two roots: %v", err)
	}
	proposal, err := begun.SwitchRoot(noon)
	promoted := apply(t, begun, noon)(proposal, jose.PrivateKey{}, err)
	if promoted.Roots, err = promoted.PromoteRoot(); err != nil {
		t.Fatal(err)
	}
	// roots.json is the promotion; the files have not been renamed yet.
	if read, err := entitlements.ReadKeys(files(promoted)); err != nil || read.Root.ID() != next.ID() || !read.NextRoot.IsZero() {
		t.Errorf("a promotion that was cut short: %v", err)
	}

	folder := files(keys)
	delete(folder, "signing/"+keys.Signing[1].ID()+".jwk")
	if _, err := entitlements.LoadKeys(folder, issuer, noon); err == nil || !strings.Contains(err.Error(), keys.Signing[1].ID()) {
		t.Errorf("without the private key of the next signing key: %v", err)
	}
	if _, err := entitlements.ReadKeys(folder); err != nil {
		t.Errorf("an operator cannot mend it: %v", err)
	}
	// The old key's private half is not needed after its turn.
	folder = files(keys)
	delete(folder, "signing/"+keys.Signing[0].ID()+".jwk")
	if _, err := entitlements.LoadKeys(folder, issuer, noon.Add(day)); err != nil {
		t.Errorf("without the private key of one that has had its turn: %v", err)
	}
}
