package support

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
)

// Events opens the client's event stream. The channel delivers each reported revision and is closed at the end of the
// stream. The stream lasts until the server or ctx ends it.
func (c *Client) Events(ctx context.Context) (<-chan int64, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, c.Address+"/v1/events", nil)
	if err != nil {
		return nil, err
	}
	patient := *c.http
	patient.Timeout = 0
	response, err := patient.Do(request)
	if err != nil {
		return nil, err
	}
	if media := response.Header.Get("Content-Type"); response.StatusCode != http.StatusOK || media != "text/event-stream" {
		defer response.Body.Close()
		body, _ := io.ReadAll(io.LimitReader(response.Body, 1<<10))
		return nil, fmt.Errorf("GET /v1/events: %s: %s", response.Status, body)
	}
	revisions := make(chan int64, 1000)
	go func() {
		defer response.Body.Close()
		defer close(revisions)
		for lines := bufio.NewScanner(response.Body); lines.Scan(); {
			data, found := strings.CutPrefix(lines.Text(), "data: ")
			var event struct {
				Revision int64 `json:"revision"`
			}
			if found && json.Unmarshal([]byte(data), &event) == nil {
				revisions <- event.Revision
			}
		}
	}()
	return revisions, nil
}

// Told waits until a stream reports the revision, and skips those before it.
func Told(revisions <-chan int64, want int64) error {
	for timeout := time.After(30 * time.Second); ; {
		select {
		case got, open := <-revisions:
			if !open || got > want {
				return fmt.Errorf("revision %d comes, or the end (%v), not %d", got, !open, want)
			}
			if got == want {
				return nil
			}
		case <-timeout:
			return fmt.Errorf("revision %d is not told", want)
		}
	}
}

// Ended waits until a stream has ended.
func Ended(revisions <-chan int64) error {
	for timeout := time.After(30 * time.Second); ; {
		select {
		case _, open := <-revisions:
			if !open {
				return nil
			}
		case <-timeout:
			return fmt.Errorf("the stream does not end")
		}
	}
}
