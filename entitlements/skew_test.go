package entitlements

import (
	"math"
	"testing"
	"time"
)

func TestSkewOf(t *testing.T) {
	t.Parallel()
	now := time.Unix(1_767_225_600, 500_000_000)
	for name, test := range map[string]struct {
		issuedAt float64
		want     int64
	}{
		"right":                    {1_767_225_600, 0},
		"a fraction is cut":        {1_767_225_600.9, 0},
		"a minute ahead":           {1_767_225_660, 60},
		"a minute behind":          {1_767_225_540, -60},
		"the cap ahead":            {1_767_225_600 + 86_400, 86_400},
		"past the cap ahead":       {1_767_225_600 + 86_401, 86_400},
		"the cap behind":           {1_767_225_600 - 86_400, -86_400},
		"past the cap behind":      {1_767_225_600 - 86_401, -86_400},
		"the epoch":                {0, -86_400},
		"before the epoch":         {-5, -86_400},
		"the largest number":       {math.MaxFloat64, 86_400},
		"the most negative number": {-math.MaxFloat64, -86_400},
	} {
		if got := skewOf(test.issuedAt, now); got != test.want {
			t.Errorf("%s: %d, want %d", name, got, test.want)
		}
	}
}
