package passkey

import "strings"

// A mark identifies a browser or a system in a User-Agent header. Browsers also name the ones that they resemble, so the
// first match counts.
type mark struct{ text, name string }

var browsers = []mark{
	{"Edg/", "Edge"}, {"EdgA/", "Edge"}, {"EdgiOS/", "Edge"},
	{"OPR/", "Opera"},
	{"SamsungBrowser/", "Samsung Internet"},
	{"Firefox/", "Firefox"}, {"FxiOS/", "Firefox"},
	{"Chrome/", "Chrome"}, {"CriOS/", "Chrome"},
	{"Safari/", "Safari"},
}

var systems = []mark{
	{"iPhone", "iPhone"},
	{"iPad", "iPad"},
	{"Android", "Android"},
	{"Windows", "Windows"},
	{"CrOS", "ChromeOS"},
	{"Macintosh", "Mac"},
	{"Linux", "Linux"},
}

// describeUserAgent describes a User-Agent header in words that help users recognise a session ("Chrome on Windows"); ""
// if nothing is known. The header itself is not stored.
func describeUserAgent(header string) string {
	browser, system := first(browsers, header), first(systems, header)
	switch {
	case browser == "":
		return system
	case system == "":
		return browser
	}
	return browser + " on " + system
}

func first(marks []mark, header string) string {
	for _, m := range marks {
		if strings.Contains(header, m.text) {
			return m.name
		}
	}
	return ""
}
