//! What a component can ask of the host and not get: handles without end, lists without end.

use wasmcloud_wire::Outcome;

use crate::allocations::largest_allocation;
use crate::kinds::{Kind, Parts};
use crate::local::{a_run, ran};

#[tokio::test]
async fn handles_without_end_end_the_program() {
    let opens = "(loop $more (drop (call $subscribe (i64.const 1))) (br $more))";
    let ran = ran(a_run(&Kind::Component.program("", opens))).await;
    let Outcome::Trap { message } = &ran.receipt.outcome else { panic!("{:?}", ran.receipt.outcome) };
    assert!(message.contains("no free keys") && message.contains("in _start"), "{message}");
    let opened = ran.receipt.host_calls["wasi:clocks/monotonic-clock"];
    // Each is a clock's deadline and what waits for it.
    assert!((400..=1_001).contains(&opened), "{opened}");
}

#[tokio::test]
async fn a_list_is_never_copied_whole_however_long_it_is() {
    for (memory, bytes) in [("1601", 100 << 20), ("1", 65_537), ("1", -1)] {
        let start = format!("(call $write (call $stdout) (i32.const 0) (i32.const {bytes}) (i32.const 0))");
        let module = Kind::Component.of(Parts { memory, start: &start, ..Parts::default() });
        let ran = ran(a_run(&module)).await;
        let Outcome::Trap { message } = &ran.receipt.outcome else {
            panic!("{bytes}: {:?}", ran.receipt.outcome)
        };
        assert!(message.contains("in _start"), "{message}");
    }
    let largest = largest_allocation();
    assert!(largest < 40 << 20, "somebody allocated {largest} bytes at once");
}
