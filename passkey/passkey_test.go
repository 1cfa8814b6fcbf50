package passkey

import (
	"errors"
	"os"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/go-webauthn/webauthn/protocol"
	"github.com/google/uuid"
)

func TestCleanName(t *testing.T) {
	for name, expected := range map[string]string{
		"Ada":                          "Ada",
		" Ada Lovelace\t\n":            "Ada Lovelace",
		"田中倫":                          "田中倫",
		strings.Repeat("é", 100):       strings.Repeat("é", 100),
		" " + strings.Repeat("👩", 100): strings.Repeat("👩", 100),
	} {
		if got, err := cleanName(name); err != nil || got != expected {
			t.Errorf("%q: got %q, %v", name, got, err)
		}
	}
	for _, name := range []string{"", " \t\n\u00a0\u3000", strings.Repeat("é", 101), "A\x00", "A\nB", "A\u0085B", "\x7f", "A\xff", "\xc3"} {
		if got, err := cleanName(name); !errors.Is(err, ErrInvalidName) || !errors.Is(err, ErrInvalid) {
			t.Errorf("%q: got %q, %v", name, got, err)
		}
	}
}

func TestProvider(t *testing.T) {
	for aaguid, expected := range map[string]string{
		"ea9b8d66-4d01-1d21-3ce4-b6b48cb575d4": "Google Password Manager",
		"53414d53-554e-4700-0000-000000000000": "Samsung Pass",
		"00000000-0000-0000-0000-000000000000": "",
		"ffffffff-ffff-ffff-ffff-ffffffffffff": "",
	} {
		if got := provider(uuid.MustParse(aaguid)); got != expected {
			t.Errorf("%s: got %q, want %q", aaguid, got, expected)
		}
	}
}

func TestDescribeUserAgent(t *testing.T) {
	for header, expected := range map[string]string{
		"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/156.0.0.0 Safari/537.36":                            "Chrome on Windows",
		"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/156.0.0.0 Safari/537.36 Edg/156.0.0.0":              "Edge on Windows",
		"Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/156.0.0.0 Safari/537.36 OPR/130.0.0.0":                        "Opera on Linux",
		"Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) SamsungBrowser/30.0 Chrome/140.0.0.0 Mobile Safari/537.36":        "Samsung Internet on Android",
		"Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/156.0.0.0 Mobile Safari/537.36":                            "Chrome on Android",
		"Mozilla/5.0 (Android 15; Mobile; rv:153.0) Gecko/153.0 Firefox/153.0":                                                                       "Firefox on Android",
		"Mozilla/5.0 (X11; CrOS x86_64 14541.0.0) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/156.0.0.0 Safari/537.36":                             "Chrome on ChromeOS",
		"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/26.0 Safari/605.1.15":                      "Safari on Mac",
		"Mozilla/5.0 (iPhone; CPU iPhone OS 18_6 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/26.0 Mobile/15E148 Safari/604.1":    "Safari on iPhone",
		"Mozilla/5.0 (iPhone; CPU iPhone OS 18_6 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) CriOS/156.0.0.0 Mobile/15E148 Safari/604.1": "Chrome on iPhone",
		"Mozilla/5.0 (iPad; CPU OS 18_6 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) FxiOS/153.0 Mobile/15E148 Safari/605.1.15":           "Firefox on iPad",
		"curl/8.14.1":         "",
		"":                    "",
		"Firefox/1":           "Firefox",
		"app (Windows NT 10)": "Windows",
		"<script>\x00":        "",
	} {
		if got := describeUserAgent(header); got != expected {
			t.Errorf("%s: got %q, want %q", header, got, expected)
		}
	}
}

func TestKnownTransports(t *testing.T) {
	claimed := []protocol.AuthenticatorTransport{"internal", "<b>", "usb", "internal", "hybrid", ""}
	if got := knownTransports(claimed); !reflect.DeepEqual(got, []string{"usb", "hybrid", "internal"}) {
		t.Errorf("got %q", got)
	}
}

func TestRecent(t *testing.T) {
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	session := Session{AuthenticatedAt: now}
	if !session.Recent(now.Add(10*time.Minute - 1)) {
		t.Error("not recent within 10 minutes")
	}
	if session.Recent(now.Add(10 * time.Minute)) {
		t.Error("recent after 10 minutes")
	}
}

func TestNewNamesMissingMember(t *testing.T) {
	good := Config{RPID: "localhost", RPName: "Example", Origin: "http://localhost:8080", Now: time.Now}
	if _, err := New(t.Context(), good, &memory{}); err != nil {
		t.Error(err)
	}
	for member, change := range map[string]func(*Config){
		"RPID":   func(c *Config) { c.RPID = "" },
		"RPName": func(c *Config) { c.RPName = "" },
		"Origin": func(c *Config) { c.Origin = "" },
		"Now":    func(c *Config) { c.Now = nil },
	} {
		config := good
		change(&config)
		if _, err := New(t.Context(), config, &memory{}); err == nil || !strings.Contains(err.Error(), member) {
			t.Errorf("without %s: %v", member, err)
		}
	}
}

func requireSeeds(f *testing.F) {
	f.Helper()
	if seeds, err := os.ReadDir("testdata/fuzz/" + f.Name()); err != nil || len(seeds) == 0 {
		f.Fatalf("no seeds: %v", err)
	}
}

func FuzzCursor(f *testing.F) {
	requireSeeds(f)
	f.Add(Cursor(User{ID: "6ba7b810-9dad-41d1-80b4-00c04fd430c8", Name: "Ada", CreatedAt: time.UnixMicro(1_750_000_000_000_000)}))
	f.Fuzz(func(t *testing.T, cursor string) {
		position, err := parseCursor(cursor)
		if err != nil {
			return
		}
		if again := Cursor(User{ID: position.ID, Name: position.Name, CreatedAt: position.CreatedAt}); again != cursor {
			t.Errorf("%q came back as %q", cursor, again)
		}
	})
}

func FuzzSessionToken(f *testing.F) {
	requireSeeds(f)
	f.Add(strings.Repeat("A", 64))
	f.Fuzz(func(t *testing.T, token string) {
		key, ok := SessionToken(token).key()
		if ok && (len(token) != 64 || !isID(string(key.User)) || len(key.Hash) != 32) {
			t.Errorf("%q gave %+v", token, key)
		}
	})
}
