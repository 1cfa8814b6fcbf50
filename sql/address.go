package sql

import (
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"reflect"
	"strings"
	"time"

	"github.com/lib/pq"
)

// connectTime is how long a host may take to accept a connection before the next host is tried.
const connectTime = 3 * time.Second

// parse reads a database's address in every form that libpq knows: a URL, with several hosts and ports if need be, or
// key=value pairs; either may name a service, which the driver looks up.
func parse(address string) (pq.Config, error) {
	config, err := pq.NewConfig(singleHost(address))
	if err != nil {
		// The driver's error may quote the address, including the password.
		return pq.Config{}, errors.New("the database URL is neither a postgres:// URL nor key=value pairs that PostgreSQL knows, " +
			"or its service is in no service file (PGSERVICEFILE, ~/.pg_service.conf)")
	}
	config = config.Clone() // Runtime is never nil from here on
	if config.ApplicationName == "" {
		config.ApplicationName = "holdfast"
	}
	if config.ConnectTimeout == 0 {
		config.ConnectTimeout = connectTime
	}
	if config.TargetSessionAttrs == "" {
		config.TargetSessionAttrs = pq.TargetSessionAttrsReadWrite
	}
	config.Runtime["client_min_messages"] = "warning" // a higher level would hide commits that no standby confirmed
	return config, nil
}

// singleHost moves the hosts of a URL, which libpq allows to be several, each with its port, and percent-encoded paths of
// sockets, into the parameters host and port, where the driver allows that, too. It returns other addresses as they are.
func singleHost(address string) string {
	scheme, rest, found := strings.Cut(address, "://")
	if !found || scheme != "postgres" && scheme != "postgresql" {
		return address
	}
	end := strings.IndexAny(rest+"/", "/?")
	authority, tail := rest[:end], rest[end:]
	at := strings.LastIndex(authority, "@") + 1
	login, list := authority[:at], authority[at:]
	if !strings.ContainsAny(list, ",%") {
		return address
	}
	var hosts, ports []string
	given := false
	for host := range strings.SplitSeq(list, ",") {
		port := ""
		if colon := strings.LastIndex(host, ":"); colon > strings.LastIndex(host, "]") {
			host, port = host[:colon], host[colon+1:]
		}
		host, err := url.PathUnescape(strings.Trim(host, "[]"))
		if err != nil {
			return address // which the driver refuses, too
		}
		given = given || port != ""
		if port == "" {
			port = "5432"
		}
		hosts, ports = append(hosts, host), append(ports, port)
	}
	path, query, _ := strings.Cut(tail, "?")
	parameters := "host=" + url.QueryEscape(strings.Join(hosts, ","))
	if given {
		parameters += "&port=" + strings.Join(ports, ",")
	}
	if query != "" {
		parameters = query + "&" + parameters
	}
	return scheme + "://" + login + path + "?" + parameters
}

// listenAddress returns the address for listening at url. It holds no settings of the session: none of them concerns a
// connection that only listens, and poolers refuse them at its start.
func listenAddress(url string) (string, error) {
	config, err := parse(url)
	if err != nil {
		return "", err
	}
	config.Service, config.Runtime = "", nil
	return pairs(config), nil
}

// pairs returns config as key=value pairs, the only form in which the driver's listener takes it.
func pairs(config pq.Config) string {
	var text strings.Builder
	add := func(key, value string) {
		fmt.Fprintf(&text, "%s='%s' ", key, strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(value))
	}
	hosts, addresses, ports := []string{config.Host}, []string{numeric(config.Hostaddr)}, []string{fmt.Sprint(config.Port)}
	for _, further := range config.Multi {
		hosts, addresses = append(hosts, further.Host), append(addresses, numeric(further.Hostaddr))
		ports = append(ports, fmt.Sprint(further.Port))
	}
	add("host", strings.Join(hosts, ","))
	add("port", strings.Join(ports, ","))
	if addresses[0] != "" {
		add("hostaddr", strings.Join(addresses, ","))
	}
	fields := reflect.ValueOf(config)
	for i := range fields.NumField() {
		key, field := fields.Type().Field(i).Tag.Get("postgres"), fields.Field(i)
		switch {
		case key == "" || key == "-" || key == "host" || key == "port" || key == "hostaddr":
		case key == "connect_timeout":
			add(key, fmt.Sprint(int64(config.ConnectTimeout/time.Second)))
		case field.Kind() == reflect.Bool || !field.IsZero():
			add(key, fmt.Sprint(field))
		}
	}
	return text.String()
}

// numeric returns an address as text; empty if there is none.
func numeric(address netip.Addr) string {
	if !address.IsValid() {
		return ""
	}
	return address.String()
}
