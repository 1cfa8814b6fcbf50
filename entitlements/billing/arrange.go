package billing

import "slices"

// arrange orders the snapshots of one subscription, the oldest first. Their times are whole seconds. Within one second, a
// snapshot that names the state before it ([Facts.Before]) follows the snapshot of that state; others are ordered by [Rank];
// a final status is always last.
func arrange(snapshots []Event) []Event {
	sorted := slices.SortedFunc(slices.Values(snapshots), compare)
	arranged := make([]Event, 0, len(sorted))
	for len(sorted) > 0 {
		n := 1
		for n < len(sorted) && sorted[n].At.Equal(sorted[0].At) {
			n++
		}
		second := sorted[:n]
		sorted = sorted[n:]
		if n == 1 {
			arranged = append(arranged, second...)
			continue
		}
		rest := slices.DeleteFunc(slices.Clone(second), func(e Event) bool { return e.Facts.Status.final() })
		final := without(second, rest...)
		for len(rest) > 0 {
			chain := follow(digestOfLast(arranged), rest)
			if len(chain) == 0 {
				chain = []Event{begin(rest)}
			}
			arranged, rest = append(arranged, chain...), without(rest, chain...)
		}
		arranged = append(arranged, final...)
	}
	return arranged
}

// digestOfLast returns the digest of the last event, or "" without events.
func digestOfLast(events []Event) string {
	if len(events) == 0 {
		return ""
	}
	return events[len(events)-1].Facts.Digest()
}

// follow returns the longest chain of events in which each names the state of the one before it.
func follow(state string, events []Event) (longest []Event) {
	tried := map[[2]string]bool{}
	for _, e := range events {
		step := [2]string{e.Facts.Before, e.Facts.Digest()}
		if step[0] == "" || step[0] != state || tried[step] { // equal steps are tried once
			continue
		}
		tried[step] = true
		if rest := follow(step[1], without(events, e)); len(rest) >= len(longest) {
			longest = append([]Event{e}, rest...)
		}
	}
	return longest
}

// begin returns the event that comes first if none follows a known state: the lowest that follows none of the others. If
// the events form a circle it is the highest, so that the circle closes at the lowest.
func begin(events []Event) Event {
	for _, e := range events {
		if !slices.ContainsFunc(events, func(other Event) bool { return other.ID != e.ID && other.Facts.Digest() == e.Facts.Before }) {
			return e
		}
	}
	return events[len(events)-1]
}

// without returns events without those in some.
func without(events []Event, some ...Event) []Event {
	return slices.DeleteFunc(slices.Clone(events), func(e Event) bool {
		return slices.ContainsFunc(some, func(other Event) bool { return other.ID == e.ID })
	})
}
