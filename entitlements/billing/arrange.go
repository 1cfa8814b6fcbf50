package billing

import "slices"

// arrange orders the snapshots of one subscription, the oldest first. Their times are whole seconds; within one, a snapshot
// that says what was before it ([Facts.Before]) follows the one that was so. What says nothing of the kind is ordered by
// [Rank], and a final status is always the last.
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

// digestOfLast is the state that the last event has led to; "" where there is none.
func digestOfLast(events []Event) string {
	if len(events) == 0 {
		return ""
	}
	return events[len(events)-1].Facts.Digest()
}

// follow is the longest chain of events in which each tells of the state that the one before it led to.
func follow(state string, events []Event) (longest []Event) {
	tried := map[[2]string]bool{}
	for _, e := range events {
		step := [2]string{e.Facts.Before, e.Facts.Digest()}
		if step[0] == "" || step[0] != state || tried[step] { // of equal steps, one is enough
			continue
		}
		tried[step] = true
		if rest := follow(step[1], without(events, e)); len(rest) >= len(longest) {
			longest = append([]Event{e}, rest...)
		}
	}
	return longest
}

// begin chooses the event that comes first where nothing before it is known: the lowest that none of the others leads to.
// Where they go round in a circle it is the highest, so that the circle closes at the lowest.
func begin(events []Event) Event {
	for _, e := range events {
		if !slices.ContainsFunc(events, func(other Event) bool { return other.ID != e.ID && other.Facts.Digest() == e.Facts.Before }) {
			return e
		}
	}
	return events[len(events)-1]
}

// without is events but for some of them.
func without(events []Event, some ...Event) []Event {
	return slices.DeleteFunc(slices.Clone(events), func(e Event) bool {
		return slices.ContainsFunc(some, func(other Event) bool { return other.ID == e.ID })
	})
}
