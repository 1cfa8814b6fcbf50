package main

import (
	"cmp"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"slices"
	"strings"

	"holdfast/api"
	"holdfast/web"
)

// fieldbook is the value of --app that names the sample app.
const fieldbook = "fieldbook"

// AppFlags select the app.
type AppFlags struct {
	App string `default:"fieldbook" env:"HOLDFAST_APP" placeholder:"APP" help:"Served at /: fieldbook (the sample app), none, or the folder of a static build (default: ${default})."`
	AppAddress
	CSP string `name:"csp" env:"HOLDFAST_CSP" placeholder:"POLICY" help:"Content-Security-Policy of the app: @FILE with a whole policy, or additions to the default, such as \"connect-src https://api.example.org\"."`
}

// AppAddress locates the app's page.
type AppAddress struct {
	AppURL string `name:"app-url" env:"HOLDFAST_APP_URL" placeholder:"URL" help:"Page of the app to which users' links lead, on the origin or an --allow-origin (default: / if an app is served)."`
}

// app is what is served at /, and where users find the app.
type app struct {
	files   fs.FS  // nil: none
	changes bool   // files are read at each request
	csp     string // empty: the default
	url     string // empty: nowhere
}

// app checks and returns the app. A folder is followed as it changes if only this machine sees it.
func (c Config) app(site site) (app, error) {
	var a app
	switch c.App {
	case "none":
		if c.CSP != "" {
			return app{}, wrongUse("--csp needs an app: --app is none")
		}
	case fieldbook:
		a.files = web.Dist()
	default:
		// An os.Root refuses links that lead out of the folder, such as to /etc/passwd.
		root, err := os.OpenRoot(c.App)
		if err == nil {
			_, err = root.Stat("index.html")
		}
		if err != nil {
			return app{}, fmt.Errorf("--app %q is neither fieldbook nor none nor a folder with an index.html: %w", c.App, err)
		}
		a.files, a.changes = root.FS(), site.local()
	}
	var err error
	if a.csp, err = c.policy(); err != nil {
		return app{}, err
	}
	if a.url, err = c.AppAddress.url(site); a.url == "" && a.files != nil {
		a.url = site.origin + "/"
	}
	return a, err
}

// policy returns the app's Content-Security-Policy, or "" for the default.
func (c Config) policy() (string, error) {
	if c.CSP == "" {
		return "", nil
	}
	text, name := c.CSP, "--csp"
	file, whole := strings.CutPrefix(c.CSP, "@")
	if whole {
		read, err := os.ReadFile(file)
		if err != nil {
			return "", fmt.Errorf("--csp: %w", err)
		}
		text, name = string(read), "--csp "+c.CSP
	}
	policy, err := api.AppPolicy(text, whole)
	if err != nil {
		return "", wrongUse("%s: %w", name, err)
	}
	return policy, nil
}

// parse checks and returns the address of the app's page, which is given.
func (a AppAddress) parse() (*url.URL, error) {
	u, err := url.Parse(a.AppURL)
	if err != nil || u.Host == "" || u.User != nil || u.Fragment != "" || strings.Contains(a.AppURL, "#") {
		return nil, wrongUse("--app-url %q is not a URL such as https://app.example.org/welcome, without a fragment", a.AppURL)
	}
	origin, err := parseOrigin(u.Scheme + "://" + u.Host)
	if err != nil {
		return nil, wrongUse("--app-url: the origin of %q %w", a.AppURL, err)
	}
	u.Scheme, u.Host, u.Path = origin.Scheme, origin.Host, cmp.Or(u.Path, "/")
	return u, nil
}

// url returns the address of the app's page, or "" if none is given. Passkeys must count there.
func (a AppAddress) url(site site) (string, error) {
	if a.AppURL == "" {
		return "", nil
	}
	u, err := a.parse()
	if err != nil {
		return "", err
	}
	if at := u.Scheme + "://" + u.Host; at != site.origin && !slices.Contains(site.allowed, at) {
		return "", wrongUse("--app-url is at another origin than the server, which cannot use the passkeys: add --allow-origin %s", at)
	}
	return u.String(), nil
}
