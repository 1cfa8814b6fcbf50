package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/alecthomas/kong"
	"github.com/jmoiron/sqlx"

	"holdfast/sql/local"
)

// configure returns the configuration for a command line with these arguments, with defaults and on free ports.
func configure(t *testing.T, args ...string) Config {
	t.Helper()
	var command serveCommand
	parser, err := kong.New(&command, mappers...)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := parser.Parse(append([]string{"--listen=localhost:0", "--ops-listen=localhost:0", "--app=none"}, args...)); err != nil {
		t.Fatal(err)
	}
	return command.Config
}

// server is a running server.
type server struct {
	origin, ops string
	greeting    *buffer
	log         *buffer
	end         context.CancelFunc
	ended       chan error
}

// buffer is written by a server and read by its test.
type buffer struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

// serve starts a server that runs until the test ends, and returns when it serves.
func serve(t *testing.T, config Config) *server {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	s := &server{greeting: &buffer{}, log: &buffer{}, end: cancel, ended: make(chan error, 1)}
	go func() { s.ended <- run(ctx, config, s.greeting, s.log) }()
	t.Cleanup(func() { s.stop(t) })
	for !strings.Contains(s.greeting.String(), "Ctrl-C") {
		select {
		case err := <-s.ended:
			s.ended <- err
			t.Fatalf("run: %v\n%s", err, s.log)
		case <-time.After(5 * time.Millisecond):
		}
	}
	s.origin = find(t, `Console +(\S+)/support`, s.greeting.String())
	s.ops = find(t, `Operations +(http://[^/]+)`, s.greeting.String())
	return s
}

// stop stops the server and waits for its end. A second call does nothing.
func (s *server) stop(t *testing.T) {
	t.Helper()
	s.end()
	err := <-s.ended
	if err != nil {
		t.Errorf("run: %v\n%s", err, s.log)
	}
	s.ended <- nil
}

func find(t *testing.T, pattern, text string) string {
	t.Helper()
	match := regexp.MustCompile(pattern).FindStringSubmatch(text)
	if match == nil {
		t.Fatalf("no %s in %q", pattern, text)
	}
	return match[1]
}

// ask sends a request, with a bearer token if given, and returns the status and body.
func ask(t *testing.T, method, url, token, body string) (int, string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if body != "" {
		request.Header.Set("Content-Type", "application/json")
	}
	if token != "" {
		request.Header.Set("Authorization", "Bearer "+token)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, string(text)
}

const bootstrapToken = "0123456789abcdef0123456789abcdef"

// TestServe checks that a first start creates everything that it needs, and that a second start, even on another port, uses
// it.
func TestServe(t *testing.T) {
	t.Parallel()
	config := configure(t, "--data", filepath.Join(folder(t), "data"), "--admin-token", bootstrapToken, "--app=fieldbook")
	first := serve(t, config)

	for path, want := range map[string]int{"/healthz": 200, "/readyz": 200, "/metrics": 200, "/v1/session": 404} {
		if got, body := ask(t, "GET", first.ops+path, "", ""); got != want {
			t.Errorf("operations: GET %s: %d, want %d: %s", path, got, want, body)
		}
	}
	for path, want := range map[string]int{"/v1/session": 401, "/.well-known/jwks.json": 200, "/roots.json": 200, "/metrics": 404, "/healthz": 404} {
		if got, body := ask(t, "GET", first.origin+path, "", ""); got != want {
			t.Errorf("public: GET %s: %d, want %d: %s", path, got, want, body)
		}
	}

	status, body := ask(t, "POST", first.origin+"/admin/v1/users", bootstrapToken, `{"name":"Ada","external_id":"customer-1"}`)
	if status != 201 {
		t.Fatalf("making a user: %d %s", status, body)
	}
	var made struct {
		User      struct{ ID string }
		Enrolment struct{ URL string }
	}
	if err := json.Unmarshal([]byte(body), &made); err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(made.Enrolment.URL, first.origin+"/") {
		t.Errorf("the enrolment link %s does not lead to %s", made.Enrolment.URL, first.origin)
	}

	// A tool finds the running server's cluster.
	var out, errs bytes.Buffer
	if code := execute(t.Context(), []string{"token", "create", "--scope", "support:read", "--data", config.Data}, console{nil, &out, &errs}); code != 0 {
		t.Fatalf("token create: %d %s", code, &errs)
	}
	token := strings.TrimSpace(out.String())

	// A second server on the same folder is refused in one line.
	if err := run(t.Context(), config, io.Discard, io.Discard); err == nil || err.Error() != "another holdfast is running on "+config.Data {
		t.Errorf("a second server: %v", err)
	}
	ageTrail(t, config.DataFolder)
	first.stop(t)

	config.AuditRetention = AuditRetention{minAuditRetention}
	second := serve(t, config)
	for deadline := time.Now().Add(30 * time.Second); !strings.Contains(second.log.String(), `"deleted":`); {
		if time.Now().After(deadline) { // it is pruned soon, while the server runs
			t.Fatalf("nothing is pruned:\n%s", second.log)
		}
		time.Sleep(5 * time.Millisecond)
	}
	if trail := exportTrail(t, config.Data); strings.Contains(trail, `"test:old"`) || !strings.Contains(trail, "token.created") {
		t.Errorf("the trail after its pruning: %s", trail)
	}
	if second.origin == first.origin {
		t.Log("the same port again: the keyset's change of origin goes untested")
	}
	if status, body := ask(t, "GET", second.origin+"/admin/v1/users/"+made.User.ID, token, ""); status != 200 || !strings.Contains(body, "Ada") {
		t.Errorf("the user after a restart: %d %s", status, body)
	}
	if status, _ := ask(t, "POST", second.origin+"/admin/v1/users", token, `{"name":"Eve"}`); status != 403 {
		t.Errorf("a token that may only read makes a user: %d", status)
	}
	if status, _ := ask(t, "GET", second.origin+"/readyz", "", ""); status != 404 {
		t.Errorf("readiness on the public listener: %d", status)
	}
}

// ageTrail adds an audit entry older than any retention.
func ageTrail(t *testing.T, data DataFolder) {
	t.Helper()
	cluster, err := attach(t.Context(), data, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := cluster.Stop(t.Context()); err != nil {
			t.Error(err)
		}
	}()
	db, err := sqlx.Connect("postgres", cluster.URL(local.Owner, local.Database))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	db.MustExec(`INSERT INTO audit (at, actor, action, object) VALUES ('2001-01-01', 'server', 'test', 'test:old')`)
	if trail := exportTrail(t, data.Data); !strings.Contains(trail, `"test:old"`) {
		t.Fatalf("the old entry is not in %s", trail)
	}
}

func exportTrail(t *testing.T, data string) string {
	t.Helper()
	var out, errs bytes.Buffer
	if code := execute(t.Context(), []string{"audit", "export", "--data", data}, console{nil, &out, &errs}); code != 0 {
		t.Fatalf("audit export: %d %s", code, &errs)
	}
	return out.String()
}

// TestServeFolder checks that a custom folder replaces the sample app.
func TestServeFolder(t *testing.T) {
	t.Parallel()
	app := t.TempDir()
	for name, text := range map[string]string{
		"index.html": "<!doctype html><title>Mine</title>",
		"sw.js":      `"__ROOTS_REVISION__"; "__ROOTS_INTEGRITY__"`,
	} {
		if err := os.WriteFile(filepath.Join(app, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	s := serve(t, configure(t, "--data", filepath.Join(folder(t), "data"), "--app", app))
	if status, body := ask(t, "GET", s.origin+"/", "", ""); status != 200 || !strings.Contains(body, "Mine") {
		t.Errorf("GET /: %d %s", status, body)
	}
}

// TestShutdownFinishes checks that a request that is running at a shutdown is finished and new ones are refused.
func TestShutdownFinishes(t *testing.T) {
	t.Parallel()
	listener, err := net.Listen("tcp", "localhost:0")
	if err != nil {
		t.Fatal(err)
	}
	begun, finish := make(chan struct{}), make(chan struct{})
	httpServer := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		close(begun)
		<-finish
		fmt.Fprint(w, "finished")
	})}
	go func() { _ = httpServer.Serve(listener) }()
	answer := make(chan string, 1)
	go func() {
		response, err := http.Get("http://" + listener.Addr().String())
		if err != nil {
			answer <- err.Error()
			return
		}
		defer response.Body.Close()
		text, _ := io.ReadAll(response.Body)
		answer <- string(text)
	}()
	<-begun
	done := make(chan error, 1)
	go func() { done <- shutdown(context.Background(), []*http.Server{httpServer}, new(sync.WaitGroup)) }()
	for { // until it accepts no more
		conn, err := net.Dial("tcp", listener.Addr().String())
		if err != nil {
			break
		}
		conn.Close()
	}
	close(finish)
	if got := <-answer; got != "finished" {
		t.Errorf("the request under way: %s", got)
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// TestSignals checks that SIGTERM ends the program with 0, and PostgreSQL with it, and that SIGKILL ends PostgreSQL too and
// the next start succeeds.
func TestSignals(t *testing.T) {
	t.Parallel()
	data := filepath.Join(folder(t), "data")
	for _, signal := range []syscall.Signal{syscall.SIGTERM, syscall.SIGKILL, syscall.SIGINT} {
		command := exec.Command("holdfast", "serve", "--listen=localhost:0", "--ops-listen=localhost:0", "--app=none", "--data="+data)
		log := start(t, command).log
		text, err := os.ReadFile(filepath.Join(data, "postgres", "data", "postmaster.pid"))
		if err != nil {
			t.Fatalf("%v\n%s", err, log.String())
		}
		line, _, _ := strings.Cut(string(text), "\n")
		postgres, err := strconv.Atoi(line)
		if err != nil {
			t.Fatal(err)
		}
		if err := command.Process.Signal(signal); err != nil {
			t.Fatal(err)
		}
		err = command.Wait()
		if signal == syscall.SIGKILL {
			continue // the next start waits for PostgreSQL
		}
		if err != nil {
			t.Errorf("%v: %v\n%s", signal, err, log.String())
		}
		if err := syscall.Kill(postgres, 0); !errors.Is(err, syscall.ESRCH) {
			t.Errorf("%v: PostgreSQL's process: %v", signal, err)
		}
	}
}

// started is a started program: its log and the addresses that it says there.
type started struct {
	log             *buffer
	public, opsHost string
}

// start starts the program and waits until it serves.
func start(t *testing.T, command *exec.Cmd) started {
	t.Helper()
	s := started{log: &buffer{}}
	var out buffer
	command.Stderr, command.Stdout = s.log, &out
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = command.Process.Kill(); _ = command.Wait() })
	serving := regexp.MustCompile(`"msg":"serving".*"listen":"([^"]+)","ops":"([^"]+)"`)
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(5 * time.Millisecond) {
		if found := serving.FindStringSubmatch(s.log.String()); found != nil {
			s.public, s.opsHost = "http://"+found[1], "http://"+found[2]
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("the server does not serve within a minute: %s", s.log)
		}
	}
	if out.String() != "" {
		t.Errorf("a banner without a terminal: %s", out.String())
	}
	return s
}

// TestOpsAnswersWhenFullAndDraining checks that the operations listener answers although clients have opened as many
// connections as they can, and that after SIGTERM the server still serves, with readiness red, for --drain-delay.
func TestOpsAnswersWhenFullAndDraining(t *testing.T) {
	t.Parallel()
	command := exec.Command("sh", "-c", `ulimit -n 300 && exec holdfast serve --listen=localhost:0 --ops-listen=localhost:0 --app=none --drain-delay=1h --data="$0"`,
		filepath.Join(folder(t), "data"))
	server := start(t, command)
	var clients []net.Conn
	for range 400 { // more than the files that the process may open; the rest waits in the kernel
		client, err := net.Dial("tcp", strings.TrimPrefix(server.public, "http://"))
		if err != nil {
			t.Fatal(err)
		}
		clients = append(clients, client)
	}
	for range 3 {
		if status, text := ask(t, "GET", server.opsHost+"/readyz", "", ""); status != 200 {
			t.Fatalf("full: /readyz: %d %s", status, text)
		}
	}
	for _, client := range clients {
		if err := client.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if err := command.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	for status := 200; status != 503; {
		status, _ = ask(t, "GET", server.opsHost+"/readyz", "", "")
	}
	if status, text := ask(t, "GET", server.public+"/.well-known/jwks.json", "", ""); status != 200 {
		t.Errorf("draining: %d %s", status, text)
	}
	if err := command.Process.Signal(syscall.SIGTERM); err != nil { // a second one does not wait
		t.Fatal(err)
	}
	_ = command.Wait()
}

// TestClusterDies checks that the server ends when PostgreSQL dies.
func TestClusterDies(t *testing.T) {
	t.Parallel()
	config := configure(t, "--data", filepath.Join(folder(t), "data"))
	ended := make(chan error, 1)
	greeting := &buffer{}
	go func() { ended <- run(t.Context(), config, greeting, io.Discard) }()
	for !strings.Contains(greeting.String(), "Ctrl-C") {
		select {
		case err := <-ended:
			t.Fatalf("run: %v", err)
		case <-time.After(5 * time.Millisecond):
		}
	}
	text, err := os.ReadFile(filepath.Join(config.clusterDir(), "data", "postmaster.pid"))
	if err != nil {
		t.Fatal(err)
	}
	line, _, _ := strings.Cut(string(text), "\n")
	postgres, err := strconv.Atoi(line)
	if err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(postgres, syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	if err := <-ended; err == nil || !strings.Contains(err.Error(), "has stopped unexpectedly") {
		t.Errorf("run: %v", err)
	}
}

func TestNoMigrate(t *testing.T) {
	t.Parallel()
	config := configure(t, "--data", filepath.Join(folder(t), "data"), "--no-migrate")
	if err := run(t.Context(), config, io.Discard, io.Discard); err == nil || !strings.Contains(err.Error(), "run 'holdfast migrate'") {
		t.Errorf("an empty database: %v", err)
	}
}

// TestEndWhileStarting checks that a server that is stopped during its start ends without an error and without having
// served.
func TestEndWhileStarting(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	config := configure(t, "--data", filepath.Join(folder(t), "data"))
	ended := make(chan error, 1)
	greeting := &buffer{}
	go func() { ended <- run(ctx, config, greeting, io.Discard) }()
	for begun := false; !begun; time.Sleep(time.Millisecond) { // until the cluster is being created, which takes a while
		_, err := os.Stat(config.clusterDir())
		begun = err == nil
	}
	cancel()
	if err := <-ended; err != nil || greeting.String() != "" {
		t.Errorf("run: %v; it greets: %q", err, greeting)
	}
}

// TestApp checks that a program built without its app serves api's notice, and which settings of an app are refused.
func TestApp(t *testing.T) {
	t.Parallel()
	mine := t.TempDir()
	write := func(name, text string) string {
		t.Helper()
		file := filepath.Join(mine, name)
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return file
	}
	write("index.html", "<!doctype html>")
	whole, wrong := write("csp.txt", "default-src 'self'\n"), write("wrong.txt", "default-source 'self'\n")
	here := site{origin: "https://auth.example.org", allowed: []string{"https://app.example.org"}}
	local := site{origin: "http://localhost:8080"}
	for _, c := range []struct {
		args    []string
		site    site
		served  bool
		changes bool
		url     string
		csp     string
	}{
		{[]string{"--app=fieldbook"}, local, true, false, "http://localhost:8080/", ""},
		{[]string{"--app=none"}, local, false, false, "", ""},
		{[]string{"--app=none", "--app-url=https://APP.example.org"}, here, false, false, "https://app.example.org/", ""},
		{[]string{"--app=none", "--app-url=https://app.example.org/welcome?a=1"}, here, false, false, "https://app.example.org/welcome?a=1", ""},
		{[]string{"--app=" + mine, "--app-url=https://auth.example.org/start/"}, here, true, false, "https://auth.example.org/start/", ""},
		{[]string{"--app=" + mine}, here, true, false, "https://auth.example.org/", ""},
		{[]string{"--app=" + mine}, local, true, true, "http://localhost:8080/", ""},
		{[]string{"--app=" + mine, "--csp=connect-src https://api.example.org"}, local, true, true, "http://localhost:8080/", "connect-src 'self' https://api.example.org;"},
		{[]string{"--app=" + mine, "--csp=@" + whole}, local, true, true, "http://localhost:8080/", "default-src 'self'; require-trusted-types-for 'script'"},
	} {
		app, err := configure(t, c.args...).app(c.site)
		if err != nil || (app.files != nil) != c.served || app.changes != c.changes || app.url != c.url || !strings.Contains(app.csp, c.csp) {
			t.Errorf("%v at %s: %+v, %v", c.args, c.site.origin, app, err)
		}
	}
	for _, c := range []struct {
		args []string
		said string
	}{
		{[]string{"--app=" + t.TempDir()}, "index.html"},
		{[]string{"--app=" + mine, "--csp=conect-src https://a.example"}, `--csp: "conect-src" is not a directive`},
		{[]string{"--app=" + mine, "--csp=@" + wrong}, "wrong.txt"},
		{[]string{"--app=" + mine, "--csp=@" + mine + "/none.txt"}, "none.txt"},
		{[]string{"--app=none", "--csp=font-src 'self'"}, "--csp needs an app"},
		{[]string{"--app=none", "--app-url=https://other.example.org/"}, "--allow-origin https://other.example.org"},
		{[]string{"--app=none", "--app-url=https://app.example.org/#a"}, "fragment"},
		{[]string{"--app=none", "--app-url=https://a:b@app.example.org/"}, "is not a URL"},
		{[]string{"--app=none", "--app-url=/welcome"}, "is not a URL"},
		{[]string{"--app=none", "--app-url=javascript:alert(1)"}, "is not a URL"},
	} {
		if _, err := configure(t, c.args...).app(here); err == nil || !strings.Contains(err.Error(), c.said) {
			t.Errorf("%v: %v, want %s", c.args, err, c.said)
		}
	}
}

// TestGreetingNamesOnlyWhatIsThere checks that the greeting names the page of the app, wherever it is, and none without one.
func TestGreetingNamesOnlyWhatIsThere(t *testing.T) {
	t.Parallel()
	here := site{origin: "https://auth.example.org", allowed: []string{"https://app.example.org"}}
	for args, want := range map[string]string{
		"--app=fieldbook": "Open         https://auth.example.org/\n",
		"--app-url=https://app.example.org/welcome": "Open         https://app.example.org/welcome\n",
		"--registration=invite":                     "",
	} {
		config := configure(t, args)
		app, err := config.app(here)
		if err != nil {
			t.Fatal(err)
		}
		var greeting bytes.Buffer
		config.greet(&greeting, here, app, &net.TCPAddr{}, "")
		if text := greeting.String(); !strings.Contains(text, want) || (want == "") == strings.Contains(text, "Open ") ||
			!strings.Contains(text, "Console      https://auth.example.org/support") {
			t.Errorf("%s: %s", args, text)
		}
	}
}

// TestAppWithLinks checks that the server does not start if a link leads out of the folder.
func TestAppWithLinks(t *testing.T) {
	t.Parallel()
	secret := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(secret, []byte("secret"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, link := range map[string]string{"a file": secret, "a folder": filepath.Dir(secret), "the page": secret} {
		dir := t.TempDir()
		files := map[string]string{"index.html": "<!doctype html>", "sw.js": `"__ROOTS_REVISION__"; "__ROOTS_INTEGRITY__"`}
		at := "link"
		if name == "the page" {
			at = "index.html"
			delete(files, at)
		}
		for name, text := range files {
			if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if err := os.Symlink(link, filepath.Join(dir, at)); err != nil {
			t.Fatal(err)
		}
		config := configure(t, "--data", filepath.Join(folder(t), "data"), "--app", dir)
		ctx, cancel := context.WithCancel(t.Context())
		greeted := &greeting{then: cancel}
		if err := run(ctx, config, greeted, io.Discard); err == nil || !strings.Contains(err.Error(), "escapes") {
			t.Errorf("%s: %v", name, err)
		}
		cancel()
	}
}

// greeting stops a server that should have been refused.
type greeting struct{ then func() }

func (g *greeting) Write(p []byte) (int, error) {
	g.then()
	return len(p), nil
}

// TestOpsPortTaken checks that the operations listener moves to another port if its default is taken, unless its address
// was set.
func TestOpsPortTaken(t *testing.T) {
	t.Parallel()
	first, err := listenOps(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	defer first.Close()
	second, err := listenOps(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	defer second.Close()
	if first.Addr().String() == second.Addr().String() {
		t.Errorf("both listen at %s", first.Addr())
	}
	if third, err := listenOps(t.Context(), first.Addr().String()); !errors.Is(err, syscall.EADDRINUSE) {
		t.Errorf("the port that was named is taken, and it listens at %v: %v", third, err)
	}
}

func TestOriginOf(t *testing.T) {
	t.Parallel()
	port8080 := &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 8080}
	for listen, want := range map[string]string{
		"localhost:0":    "http://localhost:8080",
		"127.0.0.1:8080": "http://localhost:8080",
		":8080":          "http://localhost:8080",
		"[::]:8080":      "http://localhost:8080",
		"nas.lan:8080":   "http://nas.lan:8080",
	} {
		if got, err := originOf(listen, port8080); err != nil || got != want {
			t.Errorf("%s: %s, %v; want %s", listen, got, err, want)
		}
	}
}

func TestSite(t *testing.T) {
	t.Parallel()
	listener := &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 8080}
	for _, test := range []struct {
		args []string
		want site
	}{
		{nil, site{origin: "http://localhost:8080", rpID: "localhost"}},
		{[]string{"--origin=https://App.Example.org:443/"}, site{origin: "https://app.example.org", rpID: "app.example.org"}},
		{[]string{"--origin=http://app.localhost:8080", "--rp-id=localhost"}, site{origin: "http://app.localhost:8080", rpID: "localhost"}},
		{
			[]string{"--origin=https://app.example.org:8443", "--rp-id=example.org", "--allow-origin=https://example.org", "--allow-origin=https://b.example.org"},
			site{origin: "https://app.example.org:8443", rpID: "example.org", allowed: []string{"https://example.org", "https://b.example.org"}},
		},
	} {
		got, err := configure(t, test.args...).site(listener)
		if err != nil || fmt.Sprint(got) != fmt.Sprint(test.want) {
			t.Errorf("%v: %v, %v; want %v", test.args, got, err, test.want)
		}
	}
}

func TestTrustedProxies(t *testing.T) {
	t.Parallel()
	got, err := configure(t, "--trusted-proxies=10.1.2.3/8", "--trusted-proxies=fd00::1/8", "--trusted-proxies=::ffff:192.0.2.9/120").trustedProxies()
	if err != nil || fmt.Sprint(got) != "[10.0.0.0/8 fd00::/8 192.0.2.0/24]" {
		t.Errorf("%v, %v", got, err)
	}
}

// TestGreetingCommands checks that the commands in the greeting find the server's database and, for links, its keys.
func TestGreetingCommands(t *testing.T) {
	t.Parallel()
	for want, config := range map[string]Config{
		"staff invite --name NAME --role admin --data place\n":                       {DataFolder: DataFolder{Data: "place"}},
		"staff invite --name NAME --role admin --keys vault --data place\n":          {DataFolder: DataFolder{Data: "place"}, KeysFolder: KeysFolder{Keys: "vault"}},
		"staff invite --name NAME --role admin --keys vault --database-url …\n":      {Database: Database{DatabaseURL: "postgres:///x"}, KeysFolder: KeysFolder{Keys: "vault"}},
		"staff invite --name NAME --role admin --keys place/keys --database-url …\n": {Database: Database{DatabaseURL: "postgres:///x"}, DataFolder: DataFolder{Data: "place"}},
		"token create --scope admin --database-url …\n":                              {Database: Database{DatabaseURL: "postgres:///x"}, KeysFolder: KeysFolder{Keys: "vault"}},
	} {
		var out strings.Builder
		config.greet(&out, site{}, app{}, &net.TCPAddr{}, "")
		if !strings.Contains(out.String(), want) {
			t.Errorf("the greeting lacks %q:\n%s", want, out.String())
		}
	}
}
