package api_test

import (
	"compress/gzip"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"io"
	"io/fs"
	"maps"
	"net/http"
	"strings"
	"testing"
	"testing/fstest"

	"holdfast/api"
	"holdfast/entitlements"
	"holdfast/passkey"
)

const pageCSP = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; manifest-src 'self'; " +
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

func TestUnsuitableAppIsRefused(t *testing.T) {
	for name, worker := range map[string]string{
		"no placeholder":     "precache([])",
		"no integrity":       "__ROOTS_REVISION__",
		"revision twice":     "__ROOTS_REVISION__ __ROOTS_REVISION__ __ROOTS_INTEGRITY__",
		"integrity twice":    "__ROOTS_REVISION__ __ROOTS_INTEGRITY__ __ROOTS_INTEGRITY__",
		"no worker whatever": "",
	} {
		files := maps.Clone(builtApp)
		files["sw.js"] = &fstest.MapFile{Data: []byte(worker)}
		if worker == "" {
			delete(files, "sw.js")
		}
		if err := api.CheckApp(files); err == nil || !strings.Contains(err.Error(), "sw.js") ||
			!strings.Contains(err.Error(), "precache /roots.json with revision __ROOTS_REVISION__ and integrity __ROOTS_INTEGRITY__") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := api.CheckApp(builtApp); err != nil {
		t.Error(err)
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
	unbuilt.do("GET", "/deep/link", nil, "Accept", "text/html").want(t, 404, "not_found")

	none := newWorld(t, serving(nil)).browser()
	none.do("GET", "/", nil, "Accept", "text/html").want(t, http.StatusNotFound, "not_found")
	none.do("GET", "/sw.js", nil).want(t, 404, "not_found")
	none.do("GET", "/roots.json", nil).want(t, 200, "")
}
