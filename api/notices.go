package api

import (
	"encoding/base64"
	"time"

	"holdfast/passkey"
)

// notice is an event to tell the user about. The client words it.
type notice struct {
	Code    passkey.NoticeCode `json:"code"`
	At      time.Time          `json:"at"`
	Passkey string             `json:"passkey"`
	Reason  string             `json:"reason"`
}

func noticeOf(n passkey.Notice) notice {
	return notice{n.Code, n.At.UTC(), base64.RawURLEncoding.EncodeToString(n.Passkey), n.Reason}
}
