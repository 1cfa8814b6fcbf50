package outbox

import "time"

// pauses are the delays after failed attempts: the schedule that Standard Webhooks recommends, three days long.
var pauses = []time.Duration{
	5 * time.Second, 5 * time.Minute, 30 * time.Minute, 2 * time.Hour, 5 * time.Hour, 10 * time.Hour, 14 * time.Hour, 20 * time.Hour,
	24 * time.Hour,
}

// judge returns the result of an attempt that the delivery counts already. Chance, from 0 to 1, lengthens a pause by up
// to a fifth, so that deliveries that failed at once are not all retried at once.
func judge(delivery Delivery, status int, failure Failure, now time.Time, chance float64) Result {
	result := Result{User: delivery.User, Delivery: delivery.ID, Attempt: delivery.Attempts, At: now, Status: status, Failure: failure}
	switch n := delivery.Attempts; {
	case failure == "":
		result.State = Delivered
	case n > len(pauses):
		result.State = Dead
	default:
		pause := pauses[max(n, 1)-1]
		result.State, result.Next = Pending, now.Add(pause+time.Duration(chance*float64(pause)/5)).Truncate(time.Microsecond)
	}
	return result
}
