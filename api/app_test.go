package api_test

import (
	"cmp"
	"compress/gzip"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"io"
	"io/fs"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"holdfast/api"
	"holdfast/entitlements"
	"holdfast/passkey"
)

const pageCSP = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; font-src 'self'; media-src 'self'; " +
	"connect-src 'self'; manifest-src 'self'; " +
	"base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types holdfast"

func TestApp(t *testing.T) {
	w := newWorld(t)
	client := w.browser()
	for _, c := range []struct{ path, accept, media, cache string }{
		{"/", "text/html", "text/html; charset=utf-8", "no-cache"},
		{"/index.html", "", "text/html; charset=utf-8", "no-cache"},
		{"/settings/devices", "text/html,*/*", "text/html; charset=utf-8", "no-cache"},
		{"/sw.js", "", "text/javascript; charset=utf-8", "no-cache"},
		{"/manifest.webmanifest", "", "application/manifest+json", "no-cache"},
		{"/icon.svg", "", "image/svg+xml", "no-cache"},
		{"/assets/index-Ab3dEf9h.js", "", "text/javascript; charset=utf-8", "public, max-age=31536000, immutable"},
		{"/assets/font-Ab3dEf9h.woff2", "", "font/woff2", "public, max-age=31536000, immutable"},
	} {
		got := client.do("GET", c.path, nil, "Accept", c.accept).want(t, 200, "")
		h := got.Header
		if h.Get("Content-Type") != c.media || h.Get("Cache-Control") != c.cache || h.Get("ETag") == "" || h.Get("Content-Security-Policy") != pageCSP {
			t.Errorf("%s: %v", c.path, h)
		}
		if h.Get("X-Content-Type-Options") != "nosniff" || h.Get("Cross-Origin-Opener-Policy") != "same-origin" ||
			h.Get("Cross-Origin-Resource-Policy") != "same-origin" || !strings.Contains(h.Get("Permissions-Policy"), "publickey-credentials-create=(self)") ||
			h.Get("Referrer-Policy") != "same-origin" || len(h.Values("Set-Cookie")) != 0 {
			t.Errorf("%s: %v", c.path, h)
		}
		if same := client.do("GET", c.path, nil, "Accept", c.accept, "If-None-Match", h.Get("ETag")); same.StatusCode != 304 || len(same.body) != 0 {
			t.Errorf("%s with its tag: %d", c.path, same.StatusCode)
		}
		if head := client.do("HEAD", c.path, nil, "Accept", c.accept); head.StatusCode != 200 || len(head.body) != 0 {
			t.Errorf("HEAD %s: %d", c.path, head.StatusCode)
		}
	}
	for _, query := range []string{"?utm_campaign=50%", "?%zz", "?%ff", "?a=%00", "?a;b", "?"} {
		for _, path := range []string{"/", "/settings/devices", "/sw.js", "/roots.json", "/openapi.yaml", "/icon.svg", "/support", "/support/"} {
			client.do("GET", path+query, nil, "Accept", "text/html").want(t, 200, "")
		}
	}
	for _, c := range []struct{ method, path, accept string }{
		{"GET", "/settings/devices", "application/json"},
		{"POST", "/settings/devices", "text/html"},
		{"GET", "/assets/index-gone1234.js", "text/html"},
		{"GET", "/v1/unknown", "text/html"},
		{"GET", "/admin/v1/unknown", "text/html"},
		{"GET", "/.well-known/unknown", "text/html"},
		{"GET", "/.gitkeep", ""},
		{"GET", "/../routes.go", ""},
	} {
		client.do(c.method, c.path, nil, "Accept", c.accept).want(t, 404, "not_found")
	}

	// The worker pins the exact bytes that are served as roots.
	roots := client.do("GET", "/roots.json", nil).want(t, 200, "")
	sum := sha256.Sum256(roots.body)
	worker := client.do("GET", "/sw.js", nil)
	want := `{url:"/roots.json",revision:"` + hex.EncodeToString(sum[:]) + `",integrity:"sha256-` + base64.StdEncoding.EncodeToString(sum[:]) + `"}`
	if !strings.Contains(string(worker.body), want) || string(roots.body) != string(w.roots) || roots.Header.Get("Cache-Control") != "no-cache" {
		t.Errorf("worker %s, roots %v %s", worker.body, roots.Header, roots.body)
	}

	zipped := client.do("GET", "/", nil, "Accept-Encoding", "gzip")
	reader, err := gzip.NewReader(strings.NewReader(string(zipped.body)))
	must(t, err)
	page, err := io.ReadAll(reader)
	must(t, err)
	if string(page) != string(builtApp["index.html"].Data) || !strings.Contains(zipped.Header.Get("Vary"), "Accept-Encoding") {
		t.Errorf("compressed page: %v", zipped.Header)
	}
	if private := client.do("GET", "/v1/session", nil, "Accept-Encoding", "gzip"); private.Header.Get("Content-Encoding") != "" {
		t.Errorf("an answer of /v1 is compressed: %v", private.Header)
	}
}

// TestConsole checks that the console is served whichever app is, and that the app's index never stands in for a missing
// file of the console.
func TestConsole(t *testing.T) {
	for name, app := range map[string]fs.FS{
		"the app": builtApp, "none": nil,
		"an app with a folder of that name": fstest.MapFS{
			"index.html": builtApp["index.html"], "sw.js": builtApp["sw.js"], "support/index.html": {Data: []byte("another")},
		},
	} {
		client := newWorld(t, serving(app)).browser()
		for _, c := range []struct{ path, media, cache, file string }{
			{"/support", "text/html; charset=utf-8", "no-cache", "index.html"},
			{"/support/", "text/html; charset=utf-8", "no-cache", "index.html"},
			{"/support/index.html", "text/html; charset=utf-8", "no-cache", "index.html"},
			{"/support/icon.svg", "image/svg+xml", "no-cache", "icon.svg"},
			{"/support/assets/index-Xy3dEf9h.js", "text/javascript; charset=utf-8", "public, max-age=31536000, immutable", "assets/index-Xy3dEf9h.js"},
		} {
			got := client.do("GET", c.path, nil, "Accept", "text/html").want(t, 200, "")
			h := got.Header
			if h.Get("Content-Type") != c.media || h.Get("Cache-Control") != c.cache || h.Get("Content-Security-Policy") != pageCSP ||
				len(h.Values("Set-Cookie")) != 0 || string(got.body) != string(builtConsole[c.file].Data) {
				t.Errorf("%s, %s: %v %s", name, c.path, h, got.body)
			}
			if same := client.do("GET", c.path, nil, "If-None-Match", h.Get("ETag")); same.StatusCode != 304 || len(same.body) != 0 {
				t.Errorf("%s, %s with its tag: %d", name, c.path, same.StatusCode)
			}
			if head := client.do("HEAD", c.path, nil); head.StatusCode != 200 || len(head.body) != 0 {
				t.Errorf("%s, HEAD %s: %d", name, c.path, head.StatusCode)
			}
		}
		for _, path := range []string{"/support/users", "/support/assets/index-gone1234.js", "/support/.gitkeep", "/support/sw.js"} {
			client.do("GET", path, nil, "Accept", "text/html").want(t, 404, "not_found")
		}
		client.do("POST", "/support", nil, "Accept", "text/html").want(t, 405, "method_not_allowed")
		client.do("POST", "/support/", nil, "Accept", "text/html").want(t, 404, "not_found")
	}

	unbuilt := newWorld(t, func(a *api.Config, _ *passkey.Config, _ *entitlements.Config) { a.Console = fstest.MapFS{} }).browser()
	if page := unbuilt.do("GET", "/support", nil); page.StatusCode != 200 || !strings.Contains(string(page.body), "make run") {
		t.Errorf("not built: %d %s", page.StatusCode, page.body)
	}
}

// TestAppWithAHalfPinnedWorkerIsRefused checks that a worker has both placeholders once, or none.
func TestAppWithAHalfPinnedWorkerIsRefused(t *testing.T) {
	for name, worker := range map[string]string{
		"no integrity":    "__ROOTS_REVISION__",
		"no revision":     "__ROOTS_INTEGRITY__",
		"revision twice":  "__ROOTS_REVISION__ __ROOTS_REVISION__ __ROOTS_INTEGRITY__",
		"integrity twice": "__ROOTS_REVISION__ __ROOTS_INTEGRITY__ __ROOTS_INTEGRITY__",
	} {
		files := maps.Clone(builtApp)
		files["sw.js"] = &fstest.MapFile{Data: []byte(worker)}
		if err := api.CheckApp(files); err == nil || !strings.Contains(err.Error(), "sw.js") ||
			!strings.Contains(err.Error(), "precache /roots.json with revision __ROOTS_REVISION__ and integrity __ROOTS_INTEGRITY__") {
			t.Errorf("%s: %v", name, err)
		}
	}
	own := maps.Clone(builtApp)
	own["sw.js"] = &fstest.MapFile{Data: []byte("precache([])")}
	without := maps.Clone(builtApp)
	delete(without, "sw.js")
	for _, files := range []fs.FS{builtApp, own, without} {
		if err := api.CheckApp(files); err != nil {
			t.Error(err)
		}
	}
}

// TestAnyBuildIsServed checks how the files of common static builds are found, cached and named.
func TestAnyBuildIsServed(t *testing.T) {
	const html, script, immutable = "text/html; charset=utf-8", "text/javascript; charset=utf-8", "public, max-age=31536000, immutable"
	type request struct {
		path, accept string
		status       int
		body, media  string
		cache        string // "": no-cache
	}
	app := func(names ...string) fstest.MapFS {
		files := fstest.MapFS{"index.html": {Data: []byte("index.html")}}
		for _, name := range names {
			files[name] = &fstest.MapFile{Data: []byte(name)}
		}
		return files
	}
	for name, build := range map[string]struct {
		files    fstest.MapFS
		requests []request
	}{
		"one page": {
			app("sw.js", "app.webmanifest", "module.mjs", "photo.avif", "code.wasm", "LOGO.PNG", "film.mp4", "data.unknown",
				"assets/index-Ab3dEf9h.js", "assets/user-settings.png", "assets/report-20261130.pdf", ".well-known/apple-app-site-association"),
			[]request{
				{"/", "", 200, "index.html", html, ""},
				{"/notes/1", "text/html", 200, "index.html", html, ""},
				{"/notes/", "text/html", 200, "index.html", html, ""},
				{"/notes/1", "application/json", 404, "", "", ""},
				{"/gone.js", "text/html", 404, "", "", ""},
				{"/gone", "*/*", 404, "", "", ""},
				{"/v1/gone", "text/html", 404, "", "", ""},
				{"/admin/gone", "text/html", 404, "", "", ""},
				{"/.well-known/gone", "text/html", 404, "", "", ""},
				{"/sw.js", "", 200, "sw.js", script, ""},
				{"/module.mjs", "", 200, "module.mjs", script, ""},
				{"/photo.avif", "", 200, "photo.avif", "image/avif", ""},
				{"/code.wasm", "", 200, "code.wasm", "application/wasm", ""},
				{"/app.webmanifest", "", 200, "app.webmanifest", "application/manifest+json", ""},
				{"/LOGO.PNG", "", 200, "LOGO.PNG", "image/png", ""},
				{"/film.mp4", "", 200, "film.mp4", "video/mp4", ""},
				{"/data.unknown", "", 200, "data.unknown", "application/octet-stream", ""},
				{"/.well-known/apple-app-site-association", "", 200, ".well-known/apple-app-site-association", "application/json", ""},
				{"/assets/index-Ab3dEf9h.js", "", 200, "assets/index-Ab3dEf9h.js", script, immutable},
				{"/assets/user-settings.png", "", 200, "assets/user-settings.png", "image/png", ""},
				{"/assets/report-20261130.pdf", "", 200, "assets/report-20261130.pdf", "application/pdf", ""},
			},
		},
		"a page for each address": {
			app("about.html", "docs/index.html", "404.html", "_next/static/chunks/main.js", "_next/data.json"),
			[]request{
				{"/about", "text/html", 200, "about.html", html, ""},
				{"/about.html", "", 200, "about.html", html, ""},
				{"/docs/", "text/html", 200, "docs/index.html", html, ""},
				{"/gone", "text/html", 404, "404.html", html, ""},
				{"/gone.html", "text/html", 404, "404.html", html, ""},
				{"/gone.js", "*/*", 404, "", "", ""},
				{"/v1/gone", "text/html", 404, "", "", ""},
				{"/_next/static/chunks/main.js", "", 200, "_next/static/chunks/main.js", script, immutable},
				{"/_next/data.json", "", 200, "_next/data.json", "application/json", ""},
			},
		},
	} {
		client := newWorld(t, serving(build.files)).browser()
		for _, r := range build.requests {
			got := client.do("GET", r.path, nil, "Accept", r.accept)
			if r.body == "" {
				got.want(t, r.status, "not_found")
				continue
			}
			if got.StatusCode != r.status || string(got.body) != r.body || got.Header.Get("Content-Type") != r.media ||
				got.Header.Get("Cache-Control") != cmp.Or(r.cache, "no-cache") {
				t.Errorf("%s: %s: %d %v %s", name, r.path, got.StatusCode, got.Header, got.body)
			}
		}
		redirect := client.do("GET", "/docs?a=1", nil, "Accept", "text/html")
		if _, folder := build.files["docs/index.html"]; folder && (redirect.StatusCode != 308 || redirect.Header.Get("Location") != "/docs/?a=1") {
			t.Errorf("%s: /docs: %d %v", name, redirect.StatusCode, redirect.Header)
		}
		for _, path := range []string{"//docs", "/%2fdocs", "/docs/..", "/docs/../docs", "//evil.example/docs"} {
			if got := client.do("GET", path, nil, "Accept", "*/*"); got.StatusCode != 404 {
				t.Errorf("%s: %s: %d %v", name, path, got.StatusCode, got.Header)
			}
		}
	}
}

// TestWorkerOfAnyNameMayControlTheApp checks that a script requested as a service worker may have the widest scope and is
// always revalidated, and that a page never stands in for it.
func TestWorkerOfAnyNameMayControlTheApp(t *testing.T) {
	client := newWorld(t, serving(fstest.MapFS{
		"index.html": {Data: []byte("page")}, "assets/worker-Ab3dEf9h.js": {Data: []byte("worker")},
	})).browser()
	const worker = "/assets/worker-Ab3dEf9h.js"
	got := client.do("GET", worker, nil, "Service-Worker", "script").want(t, 200, "")
	if got.Header.Get("Service-Worker-Allowed") != "/" || got.Header.Get("Cache-Control") != "no-cache" {
		t.Errorf("the worker: %v", got.Header)
	}
	plain := client.do("GET", worker, nil).want(t, 200, "")
	if plain.Header.Get("Service-Worker-Allowed") != "" || !strings.Contains(plain.Header.Get("Cache-Control"), "immutable") {
		t.Errorf("the same script in a page: %v", plain.Header)
	}
	client.do("GET", "/gone", nil, "Service-Worker", "script", "Accept", "text/html").want(t, 404, "not_found")
}

// TestMediaCanBeReadInParts checks ranges, without which Safari plays no video, and that compressed files have none.
func TestMediaCanBeReadInParts(t *testing.T) {
	client := newWorld(t, serving(fstest.MapFS{
		"index.html": builtApp["index.html"], "film.mp4": {Data: []byte("0123456789")},
	})).browser()
	part := client.do("GET", "/film.mp4", nil, "Range", "bytes=2-4")
	if part.StatusCode != 206 || string(part.body) != "234" || part.Header.Get("Content-Range") != "bytes 2-4/10" {
		t.Errorf("%d %v %s", part.StatusCode, part.Header, part.body)
	}
	page := client.do("GET", "/", nil, "Range", "bytes=0-3", "Accept-Encoding", "gzip")
	if page.StatusCode == 206 && page.Header.Get("Content-Encoding") != "" {
		t.Errorf("part of a compressed page: %v", page.Header)
	}
}

// TestLiveAppFollowsItsFolder checks that an app on a local origin is read again when it changes, and that what lies outside
// its folder, or is hidden, is never served.
func TestLiveAppFollowsItsFolder(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) {
		t.Helper()
		must(t, os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o700))
		must(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600))
	}
	write("index.html", "first")
	write("assets/index-Ab3dEf9h.js", "script")
	root, err := os.OpenRoot(dir)
	must(t, err)
	t.Cleanup(func() { root.Close() })
	client := newWorld(t, func(a *api.Config, _ *passkey.Config, _ *entitlements.Config) { a.App, a.AppChanges = root.FS(), true }).browser()
	first := client.do("GET", "/", nil).want(t, 200, "")
	script := client.do("GET", "/assets/index-Ab3dEf9h.js", nil).want(t, 200, "")
	if string(first.body) != "first" || script.Header.Get("Cache-Control") != "no-cache" {
		t.Errorf("%s, %v", first.body, script.Header)
	}
	write("index.html", "second")
	write("new.js", "new")
	if got := client.do("GET", "/", nil, "If-None-Match", first.Header.Get("ETag")); got.StatusCode != 200 || string(got.body) != "second" {
		t.Errorf("changed: %d %s", got.StatusCode, got.body)
	}
	client.do("GET", "/new.js", nil).want(t, 200, "")
	must(t, os.Remove(filepath.Join(dir, "new.js")))
	client.do("GET", "/new.js", nil).want(t, 404, "not_found")

	outside := filepath.Join(t.TempDir(), "secret.txt")
	must(t, os.WriteFile(outside, []byte("secret"), 0o600))
	must(t, os.Symlink(outside, filepath.Join(dir, "link.txt")))
	must(t, os.Symlink(filepath.Dir(outside), filepath.Join(dir, "linked")))
	must(t, os.Symlink("index.html", filepath.Join(dir, "inside.html")))
	write(".env", "secret")
	write("sub/.git/config", "secret")
	for _, path := range []string{
		"/link.txt", "/linked/secret.txt", "/linked", "/assets", "/.env", "/sub/.git/config", "/..%2fsecret.txt", "/%2e%2e/secret.txt",
		"/../secret.txt", "/assets/../../secret.txt", "/assets//index-Ab3dEf9h.js", "/" + outside, "/assets\\index-Ab3dEf9h.js",
	} {
		client.do("GET", path, nil, "Accept", "*/*").want(t, 404, "not_found")
	}
	client.do("GET", "/inside.html", nil).want(t, 200, "")

	write("sw.js", "__ROOTS_REVISION__") // half pinned: the operator's mistake, which the log names
	client.do("GET", "/sw.js", nil).want(t, 500, "internal")
}

// TestAppOfAnotherAddress checks that users' links and password managers lead to the app's own address, and nowhere if there
// is no app.
func TestAppOfAnotherAddress(t *testing.T) {
	elsewhere := newWorld(t, func(a *api.Config, _ *passkey.Config, _ *entitlements.Config) {
		a.App, a.AppURL = nil, "https://app.example.org/welcome"
	}).browser()
	made := elsewhere.admin("POST", "/admin/v1/users", `{"name":"Ada"}`).want(t, 201, "")
	if url, code := made.text("enrolment.url"), made.text("enrolment.code"); code == "" || url != "https://app.example.org/welcome#enrol="+code {
		t.Errorf("the link leads to %s", url)
	}
	if got := elsewhere.do("GET", "/.well-known/passkey-endpoints", nil); got.text("manage") != "https://app.example.org/welcome#/security" {
		t.Errorf("passkeys are managed at %s", got.body)
	}

	none := newWorld(t, serving(nil)).browser()
	made = none.admin("POST", "/admin/v1/users", `{"name":"Ada"}`).want(t, 201, "")
	if made.member("enrolment.url") != nil || made.text("enrolment.code") == "" {
		t.Errorf("a link to a page that is not there: %s", made.body)
	}
	invited := none.admin("POST", "/admin/v1/staff", `{"name":"Grace","role":"support"}`).want(t, 201, "")
	if !strings.HasPrefix(invited.text("invitation.url"), origin+"/support#invite=") {
		t.Errorf("the console is there: %s", invited.body)
	}
}

func TestHiddenFilesAreNotServed(t *testing.T) {
	client := newWorld(t, serving(fstest.MapFS{
		"index.html": {Data: []byte("<!doctype html>")}, "sw.js": {Data: []byte("__ROOTS_REVISION__ __ROOTS_INTEGRITY__")},
		".git/config": {Data: []byte("secret")}, ".env": {Data: []byte("secret")},
		".well-known/assetlinks.json": {Data: []byte("[]")},
	})).browser()
	for path, status := range map[string]int{"/.git/config": 404, "/.env": 404, "/.well-known/assetlinks.json": 200} {
		if got := client.do("GET", path, nil); got.StatusCode != status {
			t.Errorf("%s: %d", path, got.StatusCode)
		}
	}
}

func TestWithoutApp(t *testing.T) {
	unbuilt := newWorld(t, serving(fstest.MapFS{".gitkeep": {}})).browser()
	page := unbuilt.do("GET", "/", nil, "Accept", "text/html")
	if page.StatusCode != 200 || !strings.Contains(string(page.body), "make run") || !strings.HasPrefix(page.Header.Get("Content-Type"), "text/plain") {
		t.Errorf("not built: %d %s", page.StatusCode, page.body)
	}
	unbuilt.do("GET", "/sw.js", nil).want(t, 404, "not_found")
	if deep := unbuilt.do("GET", "/deep/link", nil, "Accept", "text/html"); string(deep.body) != string(page.body) {
		t.Errorf("a deep link: %d %s", deep.StatusCode, deep.body)
	}

	none := newWorld(t, serving(nil)).browser()
	none.do("GET", "/", nil, "Accept", "text/html").want(t, http.StatusNotFound, "not_found")
	none.do("GET", "/sw.js", nil).want(t, 404, "not_found")
	none.do("GET", "/roots.json", nil).want(t, 200, "")
}
