// Greets on `GET /`, and answers JSON with JSON on `POST /json`: a program that speaks CGI. `net/http/cgi` makes the
// variables and standard input a request, and writes the answer to standard output.
package main

import (
	"encoding/json"
	"fmt"
	"log"
	"net/http"
	"net/http/cgi"
)

func main() {
	http.HandleFunc("GET /{$}", func(answer http.ResponseWriter, request *http.Request) {
		fmt.Fprintln(answer, "Hello from Go!")
	})
	http.HandleFunc("POST /json", func(answer http.ResponseWriter, request *http.Request) {
		var question struct {
			Name string `json:"name"`
		}
		if err := json.NewDecoder(request.Body).Decode(&question); err != nil {
			http.Error(answer, err.Error(), http.StatusBadRequest)
			return
		}
		answer.Header().Set("Content-Type", "application/json")
		json.NewEncoder(answer).Encode(map[string]string{
			"greeting": "Hello " + question.Name + ", from Go!",
		})
	})
	if err := cgi.Serve(nil); err != nil {
		log.Fatal(err)
	}
}
