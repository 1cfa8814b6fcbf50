package api

import (
	"log/slog"
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

// prefix is the network that the request comes from, as far as it has limits: a /24 of IPv4, a /48 of IPv6,
// which is what a site gets (RFC 6177). It is used as a name for counting and for nothing else: no address is stored or
// logged.
func (s *server) prefix(r *http.Request) string {
	address := clientAddress(r, s.proxies)
	if isForwarded(r) && !isTrusted(parseHop(r.RemoteAddr), s.proxies) {
		s.untrusted.Do(func() {
			s.log.LogAttrs(r.Context(), slog.LevelWarn, "proxy is not in --trusted-proxies: its users count as one network")
		})
	}
	bits := 48
	if address.Is4() {
		bits = 24
	}
	prefix, _ := address.Prefix(bits) // never fails; whoever has no address at all shares a name
	return prefix.String()
}

// isForwarded reports whether the request says that a proxy has passed it on. Clients can say so too.
func isForwarded(r *http.Request) bool {
	return len(r.Header.Values("Forwarded")) > 0 || len(r.Header.Values("X-Forwarded-For")) > 0
}

// clientAddress is the address of the client: of the peer, unless that is one of the trusted proxies. Then it is the
// rightmost hop that Forwarded (RFC 7239) or X-Forwarded-For names and that is not a trusted proxy itself: what stands left
// of it, the client may have made up. A proxy writes one of the two headers and lets the other pass: where both are there
// and disagree, neither is believed, and the proxy itself counts as the client.
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

// rightmost walks the hops from the right for as long as they are trusted. One that is no address ends the walk at the hop
// before it, which is the last that is known.
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

// forwardedFor is the node of each element's for parameter; "" for an element without one.
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

// parseHop reads an address with or without a port; anything else is the zero Addr.
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
