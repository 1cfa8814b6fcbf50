package api

import (
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

// prefix returns the network of the request's client for rate limits: a /24 of IPv4, or a /48 of IPv6, the size that a site
// gets (RFC 6177). It serves only as a name for counting; no address is stored or logged.
func (s *server) prefix(r *http.Request) string {
	address := clientAddress(r, s.proxies)
	bits := 48
	if address.Is4() {
		bits = 24
	}
	prefix, _ := address.Prefix(bits) // never fails; clients without an address share one name
	return prefix.String()
}

// isForwarded reports whether the request claims to have passed a proxy. Clients can claim that, too.
func isForwarded(r *http.Request) bool {
	return len(r.Header.Values("Forwarded")) > 0 || len(r.Header.Values("X-Forwarded-For")) > 0
}

// clientAddress returns the client's address: the peer's, unless the peer is a trusted proxy. Then it is the rightmost hop
// in Forwarded (RFC 7239) or X-Forwarded-For that is not a trusted proxy; the client may have invented the hops to its
// left. A proxy writes one of the two headers and passes the other on unchanged: if both are present and disagree, neither
// is believed and the proxy itself counts as the client.
func clientAddress(r *http.Request, trusted []netip.Prefix) netip.Addr {
	peer := parseHop(r.RemoteAddr)
	if !isTrusted(peer, trusted) {
		return peer
	}
	var found []netip.Addr
	if header := r.Header.Values("Forwarded"); len(header) > 0 {
		found = append(found, rightmost(forwardedFor(header), peer, trusted))
	}
	if header := r.Header.Values("X-Forwarded-For"); len(header) > 0 {
		found = append(found, rightmost(strings.Split(strings.Join(header, ","), ","), peer, trusted))
	}
	if len(found) == 0 || found[0] != found[len(found)-1] {
		return peer
	}
	return found[0]
}

// rightmost walks the hops from the right while they are trusted. A hop that is not an address ends the walk; the result is
// then the hop to its right, the last one known.
func rightmost(hops []string, peer netip.Addr, trusted []netip.Prefix) netip.Addr {
	last := peer
	for _, hop := range slices.Backward(hops) {
		address := parseHop(strings.TrimSpace(hop))
		if !address.IsValid() {
			return last
		}
		if last = address; !isTrusted(address, trusted) {
			return last
		}
	}
	return last
}

// forwardedFor returns the for parameter of each element, or "" for an element without one.
func forwardedFor(header []string) []string {
	var hops []string
	for element := range strings.SplitSeq(strings.Join(header, ","), ",") {
		hop := ""
		for pair := range strings.SplitSeq(element, ";") {
			parameter, value, _ := strings.Cut(strings.TrimSpace(pair), "=")
			if strings.EqualFold(parameter, "for") {
				hop = strings.Trim(value, `"`)
			}
		}
		hops = append(hops, hop)
	}
	return hops
}

// parseHop parses an address with or without a port. It returns the zero Addr for anything else.
func parseHop(text string) netip.Addr {
	if hop, err := netip.ParseAddrPort(text); err == nil {
		return hop.Addr().Unmap().WithZone("")
	}
	address, err := netip.ParseAddr(strings.Trim(text, "[]"))
	if err != nil {
		return netip.Addr{}
	}
	return address.Unmap().WithZone("")
}

func isTrusted(address netip.Addr, trusted []netip.Prefix) bool {
	return slices.ContainsFunc(trusted, func(prefix netip.Prefix) bool { return prefix.Contains(address) })
}
