(component
  (import "wasi:io/poll@0.2.0" (instance $poll
    (export "pollable" (type $pollable (sub resource)))
    (export "[method]pollable.block" (func (param "self" (borrow $pollable))))))
  (alias export $poll "pollable" (type $pollable-type))
  (import "wasi:clocks/monotonic-clock@0.2.0" (instance $clock
    (alias outer 1 $pollable-type (type $outer-pollable))
    (export "pollable" (type $pollable (eq $outer-pollable)))
    (export "subscribe-duration" (func (param "when" u64) (result (own $pollable))))))
  (import "wasi:http/types@0.2.0" (instance $types
    (export "incoming-request" (type (sub resource)))
    (export "response-outparam" (type (sub resource)))))
  (alias export $types "incoming-request" (type $request))
  (alias export $types "response-outparam" (type $response))

  (core func $block (canon lower (func $poll "[method]pollable.block")))
  (core func $subscribe (canon lower (func $clock "subscribe-duration")))
  ;; It gives no answer: for what ends a program before that.
  (core module $main
    (import "host" "block" (func $block (param i32)))
    (import "host" "subscribe" (func $subscribe (param i64) (result i32)))
    (memory (export "memory") {memory})
    (data (i32.const 1024) "{data}")
    (func $wait (param $ms i32)
      (call $block (call $subscribe (i64.mul (i64.extend_i32_u (local.get $ms)) (i64.const 1000000)))))
    {items}
    (func $_start (local $i i32) (local $n i32)
      {start})
    (func (export "handle") (param i32 i32) (call $_start)))
  (core instance $main (instantiate $main
    (with "host" (instance (export "block" (func $block)) (export "subscribe" (func $subscribe))))))
  (func $handle (param "request" (own $request)) (param "response-out" (own $response))
    (canon lift (core func $main "handle")))
  (instance $handler (export "handle" (func $handle)))
  (export "wasi:http/incoming-handler@0.2.0" (instance $handler)))
