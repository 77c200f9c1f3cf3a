// Ends a run in the way that the event names; returns any other event as it is.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"time"

	"github.com/aws/aws-lambda-go/lambda"
)

var greeting = os.Getenv("GREETING")

// Event of a case.
type Event struct {
	Case  string
	Bytes int
	KiB   int
}

// NoSuchCustomer is an error of the function's own.
type NoSuchCustomer struct{}

func (NoSuchCustomer) Error() string { return "no such customer" }

// Raw takes the event as it came. A function of a type would get it decoded, and its result would be encoded anew.
type Raw struct{}

// Invoke implements lambda.Handler.
func (Raw) Invoke(_ context.Context, payload []byte) ([]byte, error) {
	var event Event
	if err := json.Unmarshal(payload, &event); err != nil || event.Case == "" {
		return payload, nil //nolint:nilerr // it is no case
	}
	result, err := run(event)
	if err != nil {
		return nil, err
	}
	return json.Marshal(result)
}

func run(event Event) (any, error) {
	switch event.Case {
	case "returns":
		return strings.Repeat("x", event.Bytes-2), nil
	case "prints":
		for range make([]struct{}, event.KiB) {
			fmt.Println(strings.Repeat("y", 1023))
		}
		return "printed", nil
	case "throws":
		return nil, NoSuchCustomer{}
	case "panics":
		panic("all is lost")
	case "exits":
		os.Exit(3)
	case "hoards":
		for hoard := [][]byte{}; ; {
			hoard = append(hoard, []byte(strings.Repeat("x", 1<<24)))
		}
	case "sleeps":
		fmt.Println("sleeping")
		time.Sleep(time.Hour)
	case "greets":
		return greeting, nil
	case "layers":
		return map[string]string{"shared": layered("shared"), "only_lower": layered("only_lower")}, nil
	case "native":
		output, err := exec.Command("/opt/bin/answer").Output()
		return json.RawMessage(output), err
	}
	return nil, fmt.Errorf("no such case: %s", event.Case)
}

func layered(name string) string {
	text, err := os.ReadFile("/opt/" + name + ".txt")
	if err != nil {
		panic(err)
	}
	return strings.TrimSpace(string(text))
}

func main() {
	lambda.Start(Raw{})
}
