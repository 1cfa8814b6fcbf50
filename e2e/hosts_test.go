package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"holdfast/e2e/support"
)

// backEnd is a program of somebody else's, with a route for a feature, POST /export, and one for everybody, GET /me.
type backEnd struct {
	origin, listen string
}

// code matches lines that are neither empty nor a comment.
var code = regexp.MustCompile(`(?m)^[^/\n].*$`)

// startGo builds the example in Go, which the guard's README shows, as a module outside the repository, and runs it. The
// module imports the project by nothing but a replace line.
func startGo(t *testing.T, server *support.Server, replacement string, environment ...string) backEnd {
	t.Helper()
	folder := t.TempDir()
	b := newBackEnd(t)
	program := read(t, "../web/examples/go/main.go")
	if lines := len(code.FindAllString(program, -1)); lines >= 30 {
		t.Errorf("the example has %d lines of code", lines)
	}
	if !strings.Contains(read(t, "../entitlements/host/README.md"), "```go\n"+program+"```\n") {
		t.Error("the guard's README does not show the example as it is")
	}
	write(t, folder, "holdfast-roots.json", roots(t, server))
	write(t, folder, "main.go", program)
	write(t, folder, "go.mod", "module shop.example.com\n\ngo 1.26.0\n")
	for _, command := range [][]string{
		{"go", "mod", "edit", "-replace", "holdfast=" + replacement}, {"go", "mod", "tidy"}, {"go", "build", "-o", "shop", "."},
	} {
		run(t, folder, environment, command...)
	}
	_, port, _ := strings.Cut(b.listen, ":")
	b.start(t, folder, []string{"PORT=" + port, "HOLDFAST_ORIGIN=" + server.Origin}, "./shop")
	return b
}

// fork commits the guard's sources to a repository that go finds at git.example.com. It returns the replacement that
// names it, and the environment.
func fork(t *testing.T) (string, []string) {
	t.Helper()
	folder, cache := t.TempDir(), t.TempDir()
	for _, name := range []string{"entitlements", "passkey"} {
		if err := os.CopyFS(filepath.Join(folder, name), os.DirFS(filepath.Join("..", name))); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"go.mod", "go.sum"} {
		write(t, folder, name, read(t, filepath.Join("..", name)))
	}
	for _, command := range [][]string{
		{"git", "init", "-q", "-b", "main"}, {"git", "add", "."},
		{"git", "-c", "user.name=You", "-c", "user.email=you@example.com", "commit", "-q", "-m", "fork"},
	} {
		run(t, folder, nil, command...)
	}
	const address = "git.example.com/you/holdfast.git"
	modules := strings.TrimSpace(run(t, folder, nil, "go", "env", "GOMODCACHE"))
	proxy := strings.TrimSpace(run(t, folder, nil, "go", "env", "GOPROXY"))
	return address + "@main", []string{
		"GIT_CONFIG_COUNT=1", "GIT_CONFIG_KEY_0=url." + folder + ".insteadOf", "GIT_CONFIG_VALUE_0=https://" + strings.TrimSuffix(address, ".git"),
		"GIT_ALLOW_PROTOCOL=file:https", "GOPRIVATE=git.example.com", "GOMODCACHE=" + cache, "GOFLAGS=-modcacherw",
		"GOPROXY=file://" + modules + "/cache/download," + proxy,
	}
}

// bundle makes one file of a program and @holdfast/node, whose sources it takes: building in place would disturb the tests
// of the packages.
const bundle = `import { rolldown } from 'rolldown';
const [input, file] = process.argv.slice(2);
const bundled = await rolldown({
  input,
  platform: 'node',
  external: (id) => /^[^./]/.test(id) && !id.startsWith('@holdfast/'),
  resolve: { conditionNames: ['holdfast-source', 'node', 'import', 'default'] },
});
await bundled.write({ file, format: 'es', codeSplitting: false });
`

// startNode runs program n of the README of @holdfast/node.
func startNode(t *testing.T, server *support.Server, n int) backEnd {
	t.Helper()
	folder, b := t.TempDir(), newBackEnd(t)
	modules, err := filepath.Abs("../web/node_modules")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(modules, filepath.Join(folder, "node_modules")); err != nil {
		t.Fatal(err)
	}
	write(t, folder, "roots.json", roots(t, server))
	write(t, folder, "shop.mjs", b.program(t, server, "../web/node/README.md", "js", n))
	write(t, folder, "bundle.mjs", bundle)
	run(t, folder, nil, "node", "bundle.mjs", filepath.Join(folder, "shop.mjs"), filepath.Join(folder, "bundled.mjs"))
	b.start(t, folder, nil, "node", "bundled.mjs")
	return b
}

func newBackEnd(t *testing.T) backEnd {
	listen := support.FreeAddress(t)
	return backEnd{"http://" + listen, listen}
}

// program returns code block n of a language in a README, with the addresses in place of its examples.
func (b backEnd) program(t *testing.T, server *support.Server, readme, language string, n int) string {
	t.Helper()
	blocks := strings.Split(read(t, readme), "```"+language+"\n")
	if len(blocks) < n+2 {
		t.Fatalf("%s has no block %d of %s", readme, n, language)
	}
	code, _, _ := strings.Cut(blocks[n+1], "```")
	if lines := strings.Count(code, "\n"); lines > 32 {
		t.Errorf("%s: %d lines", readme, lines)
	}
	_, port, _ := strings.Cut(b.listen, ":")
	for example, real := range map[string]string{
		"https://app.example.com": server.Origin, "https://api.example.com": b.origin, "3000": port,
	} {
		if !strings.Contains(code, example) {
			t.Fatalf("%s does not name %s", readme, example)
		}
		code = strings.ReplaceAll(code, example, real)
	}
	return code
}

// start runs the program until the test ends, and waits until it answers.
func (b backEnd) start(t *testing.T, folder string, environment []string, command ...string) {
	t.Helper()
	var log strings.Builder
	program := exec.Command(command[0], command[1:]...)
	program.Dir, program.Stdout, program.Stderr = folder, &log, &log
	program.Env = append(os.Environ(), environment...)
	if err := program.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		_ = program.Wait()
		close(ended)
	}()
	t.Cleanup(func() {
		_ = program.Process.Kill()
		<-ended
		if t.Failed() {
			t.Logf("%v: %s", command, log.String())
		}
	})
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); {
		if answer, err := http.Get(b.origin + "/me"); err == nil {
			answer.Body.Close()
			return
		}
		select {
		case <-ended:
			t.Fatalf("%v ended: %s", command, log.String())
		case <-time.After(20 * time.Millisecond):
		}
	}
	t.Fatalf("%v does not answer", command)
}

func read(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func write(t *testing.T, folder, name, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(folder, name), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func run(t *testing.T, folder string, environment []string, arguments ...string) string {
	t.Helper()
	command := exec.Command(arguments[0], arguments[1:]...)
	command.Dir, command.Env = folder, append(os.Environ(), environment...)
	var errors strings.Builder
	command.Stderr = &errors
	out, err := command.Output()
	if err != nil {
		t.Fatalf("%v: %v\n%s%s", arguments, err, out, errors.String())
	}
	return string(out)
}

// roots exports the server's roots, as its operator does for a back end.
func roots(t *testing.T, server *support.Server) string {
	t.Helper()
	return run(t, ".", nil, server.Binary, "keys", "roots", "--keys", filepath.Join(server.Data, "keys"))
}

// presented is a request to a back end.
type presented struct {
	method, path          string // POST by default
	authorization, proofs []string
}

// call sends a request, and returns the status and either the problem's code or the body.
func (b backEnd) call(ctx context.Context, p presented) (int, string, http.Header, error) {
	if p.method == "" {
		p.method = http.MethodPost
	}
	request, err := http.NewRequestWithContext(ctx, p.method, b.origin+p.path, nil)
	if err != nil {
		return 0, "", nil, err
	}
	request.Header["Authorization"], request.Header["Dpop"] = p.authorization, p.proofs
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return 0, "", nil, err
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		return 0, "", nil, err
	}
	if answer.StatusCode == http.StatusOK {
		return answer.StatusCode, string(text), answer.Header, nil
	}
	var problem struct {
		Status int
		Code   string
	}
	if kind := answer.Header.Get("Content-Type"); !strings.HasPrefix(kind, "application/problem+json") {
		return answer.StatusCode, "", answer.Header, fmt.Errorf("%d, a refusal of type %q", answer.StatusCode, kind)
	}
	err = json.Unmarshal(text, &problem)
	if err == nil && problem.Status != answer.StatusCode {
		err = fmt.Errorf("%d says it is %d", answer.StatusCode, problem.Status)
	}
	return answer.StatusCode, problem.Code, answer.Header, err
}

// TestHostsGuardTheirRoutes: the programs of the guards' READMEs, run outside the repository, let a device of the real
// server pass, and refuse each attack with the same code.
func TestHostsGuardTheirRoutes(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	server := support.NewServer(t, binary)
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	other := support.NewServer(t, binary)
	if err := other.Start(); err != nil {
		t.Fatal(err)
	}
	ada, bob, mallory := newGuest(t, server, true), newGuest(t, server, false), newGuest(t, other, true)

	checkout, err := filepath.Abs("..")
	if err != nil {
		t.Fatal(err)
	}
	address, environment := fork(t)
	back := map[string]backEnd{
		"go":         startGo(t, server, checkout),
		"go, a fork": startGo(t, server, address, environment...),
		"express":    startNode(t, server, 0),
		"fastify":    startNode(t, server, 1),
		"hono":       startNode(t, server, 2),
	}
	sibling := startNode(t, server, 0)
	for name, b := range back {
		t.Run(name, func(t *testing.T) { b.attack(ctx, t, sibling, ada, bob, mallory) })
		t.Run(name+", a replay", func(t *testing.T) { b.replay(ctx, t, ada) })
	}

	// A revocation reaches every back end within the list's ttl.
	if _, err := server.Client().Do(ctx, http.MethodPost, "/admin/v1/devices/"+ada.device.ID+"/revoke", map[string]string{"reason": "lost"}, nil,
		support.Bearer(support.AdminToken)); err != nil {
		t.Fatal(err)
	}
	for name, b := range back {
		for deadline := time.Now().Add(time.Minute); ; time.Sleep(100 * time.Millisecond) {
			status, code, err := b.good(ctx, ada, "/export")
			if status == http.StatusUnauthorized && code == "revoked" {
				break
			}
			if err != nil || time.Now().After(deadline) {
				t.Fatalf("%s, long after the revocation: %d %s, %v", name, status, code, err)
			}
		}
		removed := ada
		reconciled, err := ada.device.Reconcile(ctx, ada.client)
		if err != nil {
			t.Fatal(err)
		}
		removed.document = reconciled.Document.Compact
		if status, code, err := b.good(ctx, removed, "/me"); err != nil || code != "device_removed" {
			t.Errorf("%s: a removed device: %d %s, %v", name, status, code, err)
		}
	}
}

// guest is a user with a device and its document.
type guest struct {
	user     support.User
	client   *support.Client
	device   *support.Device
	document string
}

func newGuest(t *testing.T, server *support.Server, premium bool) guest {
	t.Helper()
	ctx, g := t.Context(), guest{client: server.Client()}
	var err error
	if g.user, _, err = g.client.Register(ctx, "Ada"); err != nil {
		t.Fatal(err)
	}
	if premium {
		if _, err := g.client.Trial(ctx); err != nil {
			t.Fatal(err)
		}
	}
	if g.device, err = support.NewDevice(); err != nil {
		t.Fatal(err)
	}
	if err := g.device.Link(ctx, g.client, "laptop"); err != nil {
		t.Fatal(err)
	}
	reconciled, err := g.device.Reconcile(ctx, g.client)
	if err != nil {
		t.Fatal(err)
	}
	g.document = reconciled.Document.Compact
	return g
}

// nonce asks for one, as a device does that has none.
func (b backEnd) nonce(ctx context.Context) (string, error) {
	_, _, header, err := b.call(ctx, presented{path: "/export"})
	return header.Get("DPoP-Nonce"), err
}

// good sends a request as an honest device does.
func (b backEnd) good(ctx context.Context, g guest, path string) (int, string, error) {
	method := map[string]string{"/export": "POST", "/me": "GET"}[path]
	nonce, err := b.nonce(ctx)
	if err != nil {
		return 0, "", err
	}
	proof, err := g.device.ProveFor(method, b.origin+path, g.document, map[string]any{"nonce": nonce})
	if err != nil {
		return 0, "", err
	}
	status, text, header, err := b.call(ctx, presented{method: method, path: path, authorization: []string{"DPoP " + g.document}, proofs: []string{proof}})
	if err == nil && header.Get("DPoP-Nonce") == "" {
		err = fmt.Errorf("%d without a nonce", status)
	}
	return status, text, err
}

func (b backEnd) attack(ctx context.Context, t *testing.T, sibling backEnd, ada, bob, mallory guest) {
	for _, test := range []struct {
		guest guest
		path  string
		want  string
	}{
		{ada, "/export", "user " + ada.user.ID}, {ada, "/me", "user " + ada.user.ID}, {bob, "/me", "user " + bob.user.ID},
		{bob, "/export", "forbidden"}, {mallory, "/export", "key_unknown"},
	} {
		if _, got, err := b.good(ctx, test.guest, test.path); err != nil || got != test.want {
			t.Errorf("%s: %q, %v, want %q", test.path, got, err, test.want)
		}
	}

	prove := func(device *support.Device, document string, changes map[string]any) string {
		t.Helper()
		nonce, err := b.nonce(ctx)
		if err != nil {
			t.Fatal(err)
		}
		claims := map[string]any{"nonce": nonce}
		for name, value := range changes {
			claims[name] = value
		}
		proof, err := device.ProveFor(http.MethodPost, b.origin+"/export", document, claims)
		if err != nil {
			t.Fatal(err)
		}
		return proof
	}
	foreign, err := sibling.nonce(ctx)
	if err != nil {
		t.Fatal(err)
	}
	good := func() string { return prove(ada.device, ada.document, nil) }
	with := func(name string, value any) []string {
		return []string{prove(ada.device, ada.document, map[string]any{name: value})}
	}
	documents := []string{"DPoP " + ada.document}
	cut := ada.document[:len(ada.document)-1]
	huge := strings.Repeat("A", 7000)
	for name, test := range map[string]struct {
		authorization, proofs []string
		want                  string
	}{
		"good":                              {documents, []string{good()}, "user " + ada.user.ID},
		"a query that was not signed":       {documents, with("htu", b.origin+"/export?page=2#top"), "user " + ada.user.ID},
		"nothing":                           {nil, nil, "unauthenticated"},
		"a bearer token":                    {[]string{"Bearer " + ada.document}, []string{good()}, "unauthenticated"},
		"two documents":                     {append(documents, documents...), []string{good()}, "unauthenticated"},
		"two documents in one header":       {[]string{documents[0] + ", " + documents[0]}, []string{good()}, "unauthenticated"},
		"no proof":                          {documents, nil, "invalid_dpop_proof"},
		"two proofs":                        {documents, []string{good(), good()}, "invalid_dpop_proof"},
		"a proof for another method":        {documents, with("htm", "GET"), "invalid_dpop_proof"},
		"a proof for another path":          {documents, with("htu", b.origin+"/me"), "invalid_dpop_proof"},
		"a proof for another origin":        {documents, with("htu", "https://evil.example.com/export"), "invalid_dpop_proof"},
		"a proof for another document":      {documents, with("ath", "AAAA"), "invalid_dpop_proof"},
		"a proof without an id":             {documents, with("jti", ""), "invalid_dpop_proof"},
		"a proof with a huge id":            {documents, with("jti", huge), "invalid_dpop_proof"},
		"a huge proof":                      {documents, []string{huge}, "invalid_dpop_proof"},
		"no nonce":                          {documents, with("nonce", ""), "use_dpop_nonce"},
		"a nonce of another process":        {documents, with("nonce", foreign), "use_dpop_nonce"},
		"a nonce made up":                   {documents, with("nonce", huge[:43]), "use_dpop_nonce"},
		"another device's document":         {documents, []string{prove(bob.device, ada.document, nil)}, "device_mismatch"},
		"half a document":                   {[]string{"DPoP " + cut}, []string{prove(ada.device, cut, nil)}, "malformed"},
		"a huge document":                   {[]string{"DPoP " + huge}, []string{prove(ada.device, huge, nil)}, "malformed"},
		"a document of another server":      {[]string{"DPoP " + mallory.document}, []string{prove(mallory.device, mallory.document, nil)}, "key_unknown"},
		"a document with another signature": {[]string{"DPoP " + swapped(ada.document, bob.document)}, []string{prove(ada.device, swapped(ada.document, bob.document), nil)}, "signature_invalid"},
	} {
		status, got, header, err := b.call(ctx, presented{path: "/export?page=1", authorization: test.authorization, proofs: test.proofs})
		if err != nil || got != test.want || header.Get("DPoP-Nonce") == "" {
			t.Errorf("%s: %d %q, %v, want %q", name, status, got, err, test.want)
		}
		if challenge := header.Get("WWW-Authenticate"); status == http.StatusUnauthorized && !strings.HasPrefix(challenge, "DPoP ") {
			t.Errorf("%s: challenge %q", name, challenge)
		}
	}
}

// replay sends one good request twice.
func (b backEnd) replay(ctx context.Context, t *testing.T, g guest) {
	nonce, err := b.nonce(ctx)
	if err != nil {
		t.Fatal(err)
	}
	proof, err := g.device.ProveFor(http.MethodPost, b.origin+"/export", g.document, map[string]any{"nonce": nonce})
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"user " + g.user.ID, "invalid_dpop_proof"} {
		_, got, _, err := b.call(ctx, presented{path: "/export", authorization: []string{"DPoP " + g.document}, proofs: []string{proof}})
		if err != nil || got != want {
			t.Errorf("%q, %v, want %q", got, err, want)
		}
	}
}

// swapped returns a document with the signature of another.
func swapped(document, other string) string {
	return document[:strings.LastIndex(document, ".")] + other[strings.LastIndex(other, "."):]
}
