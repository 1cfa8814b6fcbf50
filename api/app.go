package api

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"path"
	"regexp"
	"strings"
	"time"
)

// asset is a file held in memory, with the headers of its answer.
type asset struct {
	body  []byte
	media string
	etag  string
	cache string
	csp   string // "" means dataCSP
	// status is the answer's, 0 for 200.
	status int
	// shared allows pages of any origin to read the asset, which is the same for everybody and sent without credentials.
	shared bool
}

func newAsset(body []byte, media string) asset {
	sum := sha256.Sum256(body)
	return taggedAsset(body, media, base64.RawURLEncoding.EncodeToString(sum[:16]))
}

// taggedAsset returns an asset whose ETag is made from tag. The ETag is weak because the compressed form shares it.
func taggedAsset(body []byte, media, tag string) asset {
	return asset{body: body, media: media, etag: `W/"` + tag + `"`, cache: "no-cache"}
}

// publicDocument returns an asset that any page, proxy and CDN may read and cache for maxAge.
func publicDocument(body []byte, media string, maxAge time.Duration) asset {
	return newAsset(body, media).public(maxAge)
}

func (a asset) public(maxAge time.Duration) asset {
	a.cache = fmt.Sprintf("public, max-age=%d", int(maxAge.Seconds()))
	a.shared = true
	return a
}

// rootsDocument returns the document that the service worker pins. It is always revalidated, so that new roots arrive
// together with the app that knows their hash.
func rootsDocument(roots []byte) asset { return newAsset(roots, "application/json") }

func (a asset) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("ETag", a.etag)
	h.Set("Cache-Control", a.cache)
	if a.csp != "" {
		h.Set("Content-Security-Policy", a.csp)
	}
	if a.shared {
		h.Set("Access-Control-Allow-Origin", "*")
		h.Set("Access-Control-Expose-Headers", "ETag")
		h.Set("Cross-Origin-Resource-Policy", "cross-origin")
	}
	h.Set("Content-Type", a.media)
	if a.status != 0 {
		w.WriteHeader(a.status)
		_, _ = w.Write(a.body)
		return
	}
	r.Header.Del("If-Match") // would be refused without a problem document, as would an invalid range
	if !strings.HasPrefix(a.media, "video/") && !strings.HasPrefix(a.media, "audio/") {
		r.Header.Del("Range")
	}
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(a.body))
}

// app is the files of a built web application, or of the console. A nil app has none.
type app struct {
	files fs.FS
	csp   string
	roots []byte           // for the placeholders in the service worker
	read  map[string]asset // by name; nil if the files may change, and are read at each request
}

// Placeholders that a build may leave in sw.js for the hash of the roots that this server trusts.
const (
	serviceWorker        = "sw.js"
	revisionPlaceholder  = "__ROOTS_REVISION__"
	integrityPlaceholder = "__ROOTS_INTEGRITY__"
)

// vite matches the names that Vite gives to files with a content hash, which isHashed examines.
var vite = regexp.MustCompile(`^assets/.*-([A-Za-z0-9_-]{8})\.[a-z0-9.]+$`)

// isHashed reports whether the content under a name never changes: Next.js and SvelteKit have folders for such files, Vite
// puts a hash into the name. A hash without digits or capitals may be a word, and is not taken for one.
func isHashed(name string) bool {
	hash := vite.FindStringSubmatch(name)
	return strings.HasPrefix(name, "_next/static/") || strings.HasPrefix(name, "_app/immutable/") ||
		hash != nil && strings.ContainsAny(hash[1], "0123456789") && strings.ToLower(hash[1]) != hash[1]
}

// mediaTypes do not depend on the machine's tables, which differ.
var mediaTypes = map[string]string{
	".aac":         "audio/aac",
	".avif":        "image/avif",
	".css":         "text/css; charset=utf-8",
	".csv":         "text/csv; charset=utf-8",
	".gif":         "image/gif",
	".htm":         "text/html; charset=utf-8",
	".html":        "text/html; charset=utf-8",
	".ico":         "image/x-icon",
	".jpeg":        "image/jpeg",
	".jpg":         "image/jpeg",
	".js":          "text/javascript; charset=utf-8",
	".json":        "application/json",
	".m4a":         "audio/mp4",
	".map":         "application/json",
	".md":          "text/markdown; charset=utf-8",
	".mjs":         "text/javascript; charset=utf-8",
	".mp3":         "audio/mpeg",
	".mp4":         "video/mp4",
	".oga":         "audio/ogg",
	".ogg":         "audio/ogg",
	".ogv":         "video/ogg",
	".otf":         "font/otf",
	".pdf":         "application/pdf",
	".png":         "image/png",
	".svg":         "image/svg+xml",
	".ttf":         "font/ttf",
	".txt":         "text/plain; charset=utf-8",
	".wasm":        "application/wasm",
	".wav":         "audio/wav",
	".webm":        "video/webm",
	".webmanifest": "application/manifest+json",
	".webp":        "image/webp",
	".woff":        "font/woff",
	".woff2":       "font/woff2",
	".xml":         "application/xml",
}

// mediaType returns the type of a file. Apple's file of associated domains has no extension.
func mediaType(name string) string {
	if name == ".well-known/apple-app-site-association" {
		return mediaTypes[".json"]
	}
	return cmp.Or(mediaTypes[strings.ToLower(path.Ext(name))], "application/octet-stream")
}

// notBuilt is served when there is no index.html.
const notBuilt = "This server was built without its web app. `make run` builds it and starts again.\n"

// isHidden reports whether a path leads to or through a hidden file or folder, such as .git or .env, which is not part of
// an app. .well-known is not hidden.
func isHidden(name string) bool {
	for part := range strings.SplitSeq(name, "/") {
		if strings.HasPrefix(part, ".") && part != "." && part != ".well-known" {
			return true
		}
	}
	return false
}

// loadApp reads all files, so that it refuses an unsuitable app. It keeps them unless they may change.
func loadApp(files fs.FS, csp string, roots []byte, changes bool) (*app, error) {
	a := &app{files: files, csp: csp, roots: roots}
	read := map[string]asset{}
	err := fs.WalkDir(files, ".", func(name string, entry fs.DirEntry, err error) error {
		if name == "." && errors.Is(err, fs.ErrNotExist) { // never built
			return nil
		}
		if err == nil && entry.IsDir() && isHidden(name) {
			return fs.SkipDir
		}
		if err != nil || entry.IsDir() || isHidden(name) {
			return err
		}
		read[name], err = a.load(name)
		return err
	})
	if err != nil {
		return nil, err
	}
	if _, built := read["index.html"]; !built {
		read = map[string]asset{"index.html": newAsset([]byte(notBuilt), mediaTypes[".txt"])}
	}
	if changes {
		return a, nil
	}
	for name, file := range read {
		if isHashed(name) {
			file.cache = "public, max-age=31536000, immutable"
			read[name] = file
		}
	}
	a.read = read
	return a, nil
}

// load reads a file, and inserts the hash of the roots if it is the service worker.
func (a *app) load(name string) (asset, error) {
	info, err := fs.Stat(a.files, name)
	if err == nil && !info.Mode().IsRegular() {
		err = fmt.Errorf("%s is not a regular file", name)
	}
	if err != nil {
		return asset{}, err
	}
	body, err := fs.ReadFile(a.files, name)
	if err == nil && name == serviceWorker {
		body, err = pinRoots(body, a.roots)
	}
	if err != nil {
		return asset{}, err
	}
	file := newAsset(body, mediaType(name))
	file.csp = a.csp
	return file, nil
}

// open returns the file of a name, or notFound.
func (a *app) open(name string) (asset, error) {
	if a.read == nil && fs.ValidPath(name) && !isHidden(name) {
		file, err := a.load(name)
		if errors.Is(err, errPins) {
			return asset{}, err
		}
		if err == nil {
			return file, nil
		}
	}
	if file, ok := a.read[name]; ok {
		return file, nil
	}
	return asset{}, notFound
}

// consolePath is the path of the support console. It is reserved on every server, whichever app is served.
const consolePath = "/support"

func isConsole(path string) bool {
	return path == consolePath || strings.HasPrefix(path, consolePath+"/")
}

// errPins is returned for a service worker that is only half pinned to the roots.
var errPins = errors.New(serviceWorker + " has to precache /roots.json with revision " + revisionPlaceholder + " and integrity " +
	integrityPlaceholder + ", each once, or to hold neither")

// pinRoots replaces both placeholders, or returns a worker without any as it is.
func pinRoots(worker, roots []byte) ([]byte, error) {
	revisions, integrities := bytes.Count(worker, []byte(revisionPlaceholder)), bytes.Count(worker, []byte(integrityPlaceholder))
	if revisions != integrities || revisions > 1 {
		return nil, errPins
	}
	sum := sha256.Sum256(roots)
	worker = bytes.ReplaceAll(worker, []byte(revisionPlaceholder), []byte(hex.EncodeToString(sum[:])))
	return bytes.ReplaceAll(worker, []byte(integrityPlaceholder), []byte("sha256-"+base64.StdEncoding.EncodeToString(sum[:]))), nil
}

// showApp serves the files of app and console. A page /about may be the file about.html, and /docs/ the file
// docs/index.html. A navigation to any other address gets the app's 404.html or, if it has none and the address no
// extension, its index.html, whose router may know it.
func (s *server) showApp(w http.ResponseWriter, r *http.Request, _ caller) error {
	app, name, reads := s.app, strings.TrimPrefix(r.URL.Path, "/"), r.Method == http.MethodGet || r.Method == http.MethodHead
	console := isConsole(r.URL.Path)
	if console {
		// The console's pages keep their address in the fragment, so it has only one.
		app, name = s.console, strings.TrimPrefix(strings.TrimPrefix(r.URL.Path, consolePath), "/")
	}
	if app == nil || !reads {
		return notFound
	}
	names := []string{name}
	switch {
	case name == "" || strings.HasSuffix(name, "/") && !console:
		names = []string{name + "index.html"}
	case !console:
		names = append(names, name+".html")
	}
	for _, name := range names {
		file, err := app.open(name)
		if err == nil {
			file.serve(w, r)
		}
		if !errors.Is(err, notFound) {
			return err
		}
	}
	if console || r.Header.Get("Service-Worker") != "" {
		return notFound
	}
	if _, err := app.open(name + "/index.html"); err == nil {
		folder := *r.URL
		folder.Path, folder.RawPath = r.URL.Path+"/", ""
		http.Redirect(w, r, folder.RequestURI(), http.StatusPermanentRedirect)
		return nil
	}
	if isAPI(r.URL.Path) || strings.HasPrefix(r.URL.Path, "/.well-known/") || !strings.Contains(r.Header.Get("Accept"), "text/html") {
		return notFound
	}
	if page, err := app.open("404.html"); err == nil {
		page.status = http.StatusNotFound
		page.ServeHTTP(w, r)
		return nil
	}
	page, err := app.open("index.html")
	if err != nil || path.Ext(name) != "" {
		return notFound
	}
	page.ServeHTTP(w, r)
	return nil
}

// serve answers with a file of the app. A script that is requested as a service worker may control the whole app, wherever
// the build has put it.
func (a asset) serve(w http.ResponseWriter, r *http.Request) {
	if strings.HasPrefix(a.media, "text/javascript") {
		w.Header().Add("Vary", "Service-Worker")
		if r.Header.Get("Service-Worker") == "script" {
			w.Header().Set("Service-Worker-Allowed", "/")
			a.cache = "no-cache"
		}
	}
	a.ServeHTTP(w, r)
}
