// Package tap has what both clients' suites need: TAP, and waiting.
package tap

import (
	"fmt"
	"os"
	"reflect"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"time"
)

const Limit = 30 * time.Second

var Bootstrap = os.Getenv("BOOTSTRAP")

var count, failed int

// Test is a feature and the checks of it.
type Test struct {
	Feature string
	Run     func()
}

// Name gives a topic or group of this run.
func Name(word string) string {
	return os.Getenv("TOPIC") + "-" + word
}

func Note(text any) {
	fmt.Println("#", text)
}

func Ok(cond bool, what string) bool {
	count++
	not := ""
	if !cond {
		failed++
		not = "not "
	}
	fmt.Printf("%sok %d - %s\n", not, count, what)
	return cond
}

func Equal(got, want any, what string) {
	if !Ok(reflect.DeepEqual(got, want), what) {
		fmt.Printf("#   got  %.300v\n#   want %.300v\n", got, want)
	}
}

func Skip(what, why string) {
	count++
	fmt.Printf("ok %d - %s # SKIP %s\n", count, what, why)
}

// Must ends the test that calls it.
func Must(err error) {
	if err != nil {
		panic(err)
	}
}

// Within calls cond until it is true; whether it became so in time.
func Within(cond func() bool) bool {
	for end := time.Now().Add(Limit); !cond(); {
		if time.Now().After(end) {
			return false
		}
		time.Sleep(10 * time.Millisecond)
	}
	return true
}

// Numbers are those from first to last-1.
func Numbers(first, last int) []int {
	all := []int{}
	for n := first; n < last; n++ {
		all = append(all, n)
	}
	return all
}

// Sorted turns values into numbers, in order.
func Sorted(values []string) []int {
	all := []int{}
	for _, v := range values {
		n, err := strconv.Atoi(v)
		Must(err)
		all = append(all, n)
	}
	slices.Sort(all)
	return all
}

func one(t Test) {
	defer func() {
		if r := recover(); r != nil {
			Ok(false, t.Feature+" panicked")
			Note(r)
			for line := range strings.Lines(string(debug.Stack())) {
				Note(strings.TrimSpace(line))
			}
		}
	}()
	Note("feature: " + t.Feature)
	t.Run()
}

// Run runs the tests in order; one that panics fails and the next goes on.
func Run(client, version string, tests []Test) {
	Note("client: " + client + " " + version)
	for _, t := range tests {
		one(t)
	}
	fmt.Printf("1..%d\n", count)
	if failed > 0 {
		os.Exit(1)
	}
}

// Version is that of a module in this program.
func Version(path string) string {
	info, ok := debug.ReadBuildInfo()
	if ok {
		for _, m := range info.Deps {
			if m.Path == path {
				return m.Version
			}
		}
	}
	return "unknown"
}
