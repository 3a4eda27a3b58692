;; The smallest handler: it greets whoever asks, and logs one line.
;;
;; A handler is a program with an export `_start`. It runs once for every request, in a sandbox of its own.
;; Its standard output is the answer as CGI has it: header fields, an empty line, the body.
(module
  ;; What the program asks of its host. `cwa` is the Common WebAssembly ABI, which Olin speaks.
  (import "cwa" "io_get_stdout" (func $stdout (result i32)))
  (import "cwa" "resource_write" (func $write (param $id i32) (param $at i32) (param $length i32) (result i32)))
  (import "cwa" "log_write" (func $log (param $level i32) (param $at i32) (param $length i32)))

  ;; Texts are passed as an address and a length in this memory.
  (memory (export "memory") 1)
  (data (i32.const 0) "Content-Type: text/plain; charset=utf-8\n\nHello from wasmcloud!\n")
  (data (i32.const 128) "said hello")

  (func $_start (export "_start")
    (drop (call $write (call $stdout) (i32.const 0) (i32.const 63)))
    ;; Level 6 is information; 3 would be a warning and 1 an error.
    (call $log (i32.const 6) (i32.const 128) (i32.const 10))))
