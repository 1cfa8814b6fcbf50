package entitlements

import (
	"math"
	"time"
)

// MaxSkew caps the skew in a document. A device can claim any time, and what is signed lengthens the bound of its
// documents: a day covers a wrong time zone, a wrong half of the day and a wrong date. A clock that is further off is
// signed as a day off.
const MaxSkew = 24 * time.Hour

// skewOf is how far the clock is ahead by which a proof was issued, in seconds, at most [MaxSkew] either way. Negative:
// the clock is behind, or the proof was on its way for that long.
func skewOf(issuedAt float64, now time.Time) int64 {
	limit := MaxSkew.Seconds()
	return int64(max(-limit, min(limit, math.Floor(issuedAt)-float64(now.Unix()))))
}

// allowance is how much later than its end a document with this skew may still count on a device whose clock is right,
// or as wrong as it was. A clock that was ahead and was put right is still corrected for: its readings come early by the
// skew. So does a clock that is still behind, once it has passed the time of the last contact.
func allowance(skew int64) time.Duration {
	return time.Duration(max(skew, -skew)) * time.Second
}
