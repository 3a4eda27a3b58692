(module
  {imports}
  (memory (export "memory") {memory})
  (data (i32.const 1024) "{data}")
  (global $in (mut i32) (i32.const -1))
  (global $out (mut i32) (i32.const -1))
  (func $open_out
    (if (i32.eq (global.get $out) (i32.const -1)) (then (global.set $out (call $stdout)))))
  (func $put (param $at i32) (param $bytes i32)
    (call $open_out)
    (drop (call $write (global.get $out) (local.get $at) (local.get $bytes))))
  (func $push
    (call $open_out)
    (drop (call $flush (global.get $out))))
  (global $errors (mut i32) (i32.const -1))
  (func $err (param $at i32) (param $bytes i32)
    (if (i32.eq (global.get $errors) (i32.const -1)) (then (global.set $errors (call $stderr))))
    (drop (call $write (global.get $errors) (local.get $at) (local.get $bytes))))
  (func $take (param $at i32) (param $bytes i32) (result i32)
    (if (i32.eq (global.get $in) (i32.const -1)) (then (global.set $in (call $stdin))))
    (local.set $bytes (call $read (global.get $in) (local.get $at) (local.get $bytes)))
    (select (local.get $bytes) (i32.const 0) (i32.gt_s (local.get $bytes) (i32.const 0))))
  (func $end (param $status i32) (call $exit (local.get $status)))
  (func $wait (param $ms i32) (call $sleep (local.get $ms)))
  {items}
  (func $_start (export "_start") (local $i i32) (local $n i32)
    {start}))
