package sql

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/lib/pq"
)

// statusChannel is what the schema announces changed statuses on.
const statusChannel = "holdfast_status"

// How soon a lost connection is made anew, and how long at most until the next attempt.
const (
	listenAgain     = 100 * time.Millisecond
	listenAgainMost = 2 * time.Second
)

// ListenStatus gives a value whenever a status may have changed in the database at url, by whatever server, until ctx
// ends: after a change has been committed, and after a time in which changes could not be heard of. Values that nobody
// takes become one. It has a connection of its own, which it makes anew when it is lost; whoever must not miss a change
// has to look from time to time as well.
func ListenStatus(ctx context.Context, url string) (<-chan struct{}, error) {
	address, err := listenAddress(url)
	if err != nil {
		return nil, err
	}
	changed := make(chan struct{}, 1)
	listener := pq.NewListener(address, listenAgain, listenAgainMost, nil)
	go func() {
		<-ctx.Done()
		_ = listener.Close()
	}()
	go func() {
		// It fails when the listener is closed, or when the server refuses, as a standby does: then Notify stays silent.
		_ = listener.Listen(statusChannel)
	}()
	go func() {
		for range listener.Notify { // a nil after each new connection; closed with the listener
			select {
			case changed <- struct{}{}:
			default:
			}
		}
	}()
	return changed, nil
}

// listenAddress is url with the settings that [Open] makes and that matter here.
func listenAddress(url string) (string, error) {
	config, err := pq.NewConfig(url)
	if err != nil {
		_, err = parse(url) // whose error shows no password
		return "", errors.Join(err)
	}
	var settings []string
	if config.ConnectTimeout == 0 {
		settings = append(settings, "connect_timeout=5")
	}
	if len(config.Multi) > 0 && config.TargetSessionAttrs == "" {
		settings = append(settings, "target_session_attrs=read-write")
	}
	if len(settings) == 0 {
		return url, nil
	}
	if !strings.HasPrefix(url, "postgres://") && !strings.HasPrefix(url, "postgresql://") {
		return strings.TrimSpace(url + " " + strings.Join(settings, " ")), nil
	}
	separator := "?"
	if strings.Contains(url, "?") {
		separator = "&"
	}
	return url + separator + strings.Join(settings, "&"), nil
}
