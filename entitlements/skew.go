package entitlements

import (
	"math"
	"time"
)

// MaxSkew caps the skew in a document, because a device can claim any time, and the signed skew extends the bound of its
// documents. A day covers a wrong time zone, a wrong half of the day and a wrong date. A larger skew is signed as one
// day.
const MaxSkew = 24 * time.Hour

// skewOf returns by how many seconds the clock that issued a proof is ahead, at most [MaxSkew] either way. A negative
// skew means that the clock is behind, or that the proof was in transit for that long.
func skewOf(issuedAt float64, now time.Time) int64 {
	limit := MaxSkew.Seconds()
	return int64(max(-limit, min(limit, math.Floor(issuedAt)-float64(now.Unix()))))
}

// allowance returns how long after its end a document with this skew can still count on a device whose clock is right,
// or as wrong as it was. The skew still corrects a clock that was ahead and has been set right, so its readings are
// early by the skew. The same holds for a clock that is still behind, once it has passed the time of the last contact.
func allowance(skew int64) time.Duration {
	return time.Duration(max(skew, -skew)) * time.Second
}
