package main

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
)

// site is the server's identity on the web.
type site struct {
	origin  string // also the issuer and audience
	rpID    string
	allowed []string // further origins
}

// site derives and checks the site. listener is the actual address of the public listener.
func (c Config) site(listener net.Addr) (site, error) {
	origin := c.Origin
	if origin == "" {
		var err error
		if origin, err = originOf(c.Listen, listener); err != nil {
			return site{}, err
		}
	}
	u, err := parseOrigin(origin)
	if err != nil {
		return site{}, fmt.Errorf("--origin %q %w", origin, err)
	}
	host := u.Hostname()
	s := site{origin: u.String(), rpID: c.RPID}
	if s.rpID == "" {
		s.rpID = host
	}
	if err := checkRPID(s.rpID, host); err != nil {
		return site{}, err
	}
	for _, allowed := range c.AllowOrigin {
		u, err := parseOrigin(allowed)
		if err != nil {
			return site{}, fmt.Errorf("--allow-origin %q %w", allowed, err)
		}
		if !below(u.Hostname(), s.rpID) {
			return site{}, fmt.Errorf("--allow-origin %s is not on the site %s (--rp-id): its pages could not use the passkeys", allowed, s.rpID)
		}
		s.allowed = append(s.allowed, u.String())
	}
	return s, nil
}

// local reports whether only this machine reaches the site.
func (s site) local() bool { return strings.HasPrefix(s.origin, "http:") }

// originOf returns the default origin for a listener. On a loopback address, or on all addresses, it uses localhost:
// browsers create no passkeys for IP addresses.
func originOf(listen string, listener net.Addr) (string, error) {
	host, _, err := net.SplitHostPort(listen)
	if err != nil {
		return "", err // checkAddress has reported it
	}
	_, port, err := net.SplitHostPort(listener.String())
	if err != nil {
		return "", err
	}
	if addr, err := netip.ParseAddr(host); host == "" || err == nil && (addr.IsLoopback() || addr.IsUnspecified()) {
		host = "localhost"
	}
	return "http://" + net.JoinHostPort(host, port), nil
}

// checkAddress refuses an address that is not HOST:PORT.
func checkAddress(flag, address string) error {
	if _, port, err := net.SplitHostPort(address); err == nil {
		if _, err := strconv.ParseUint(port, 10, 16); err == nil {
			return nil
		}
	}
	port := "8080"
	if _, err := strconv.ParseUint(address, 10, 16); err == nil {
		port = address
	}
	return fmt.Errorf("%s %q is not HOST:PORT: write localhost:%[3]s to listen on this machine only, or :%[3]s to listen everywhere", flag, address, port)
}

// parseOrigin parses an origin and normalises it as browsers do: lower case, no default port, no slash. Only on this
// machine may it be http: elsewhere, browsers offer neither passkeys nor service workers over http, and cookies would
// travel in the clear. The error continues a sentence that begins with what was parsed.
func parseOrigin(text string) (*url.URL, error) {
	u, err := url.Parse(strings.ToLower(text))
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Hostname() == "" || strings.Contains(u.Host, "*") ||
		u.User != nil || strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.Fragment != "" {
		return nil, errors.New("is not an origin such as https://app.example.org")
	}
	if u.Scheme == "http" && !isLocal(u.Hostname()) {
		return nil, errors.New("is neither https nor on this machine")
	}
	if u.Scheme == "https" && u.Port() == "443" || u.Scheme == "http" && u.Port() == "80" {
		u.Host = strings.TrimSuffix(u.Host, ":"+u.Port())
	}
	return &url.URL{Scheme: u.Scheme, Host: u.Host}, nil
}

// isLocal reports whether a host is trustworthy according to Secure Contexts, §3.1: loopback addresses and localhost.
func isLocal(host string) bool {
	if addr, err := netip.ParseAddr(host); err == nil {
		return addr.IsLoopback()
	}
	return below(host, "localhost")
}

// checkRPID refuses an RP ID that browsers would reject under WebAuthn §5.1.3. Only browsers know for sure whether a domain
// is a public suffix, below which anybody can register; a bare top-level domain always is one.
func checkRPID(rpID, host string) error {
	if _, err := netip.ParseAddr(rpID); err == nil {
		return fmt.Errorf("--rp-id %s is an address: browsers make passkeys for names only (set --origin to http://localhost:PORT, or to a name)", rpID)
	}
	if rpID != strings.ToLower(rpID) || !below(host, rpID) || rpID != host && rpID != "localhost" && !strings.Contains(rpID, ".") {
		return fmt.Errorf("--rp-id %q is neither the origin's host %s nor a domain above it", rpID, host)
	}
	return nil
}

// below reports whether host is the domain or a subdomain of it.
func below(host, domain string) bool {
	return host == domain || domain != "" && strings.HasSuffix(host, "."+domain)
}
