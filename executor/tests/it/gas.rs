//! Gas: the same program on the same input costs the same, to the unit, on every run and machine.
//!
//! The numbers are pinned. One that changes is a change of docs/LIMITS.md, and of what every
//! handler's limit means: bump the artifact key, and say so in the commit.

use wasmcloud_wire::{LimitName, Limits, Outcome, Receipt};

use crate::local::{a_run, ran};
use crate::wasm::wat;

async fn run_with(module: &str, limits: Limits) -> Receipt {
    let mut run = a_run(&wat(module));
    run.limits = limits;
    ran(run).await.receipt
}

async fn receipt_of(body: &str, limits: Limits) -> Receipt {
    let module = format!(
        r#"(module
            (memory (export "memory") 2)
            (table $t 10 20000 funcref)
            (data $d "0123456789abcdef")
            (func $f)
            (elem $e func $f $f $f)
            (func (export "_start") (local $i i32) {body}))"#
    );
    run_with(&module, limits).await
}

async fn gas_of(body: &str) -> u64 {
    let receipt = receipt_of(body, Limits::default()).await;
    assert_eq!(receipt.outcome, Outcome::Ok, "{body}");
    receipt.gas
}

#[tokio::test]
async fn each_instruction_costs_one_unit_and_structure_costs_nothing() {
    for (body, gas) in [
        ("", 0),
        ("nop", 0),
        ("(block)", 0),
        ("(drop (i32.const 1))", 2),
        ("(drop (i32.add (i32.const 1) (i32.const 2)))", 4),
        ("(call $f)", 1),
        ("(if (i32.const 1) (then nop))", 2),
        ("(drop (i32.load (i32.const 0)))", 3),
        // Ten rounds of five instructions with their six constants and reads.
        (
            "(loop $l (local.set $i (i32.add (local.get $i) (i32.const 1))) (br_if $l (i32.lt_u (local.get $i) (i32.const 10))))",
            80,
        ),
    ] {
        assert_eq!(gas_of(body).await, gas, "{body}");
    }
}

#[tokio::test]
async fn what_fills_copies_or_grows_costs_by_its_length() {
    for (body, gas) in [
        ("(memory.fill (i32.const 0) (i32.const 1) (i32.const 0))", 4),
        ("(memory.fill (i32.const 0) (i32.const 1) (i32.const 65536))", 4 + 8192),
        ("(memory.copy (i32.const 0) (i32.const 1) (i32.const 80))", 4 + 10),
        ("(memory.init $d (i32.const 0) (i32.const 0) (i32.const 16))", 4 + 2),
        ("(drop (memory.grow (i32.const 3)))", 3 + 3 * 8192),
        ("(drop (memory.grow (i32.const 0)))", 3),
        ("(table.fill $t (i32.const 0) (ref.null func) (i32.const 10))", 4 + 10),
        ("(table.copy $t $t (i32.const 0) (i32.const 1) (i32.const 5))", 4 + 5),
        ("(table.init $t $e (i32.const 0) (i32.const 0) (i32.const 3))", 4 + 3),
        ("(drop (table.grow $t (ref.null func) (i32.const 7)))", 4 + 7),
    ] {
        assert_eq!(gas_of(body).await, gas, "{body}");
    }
}

#[tokio::test]
async fn the_operands_of_a_priced_instruction_are_what_they_were() {
    // Fills three bytes from 5 on with 7, copies them to 20, grows by one page, and traps unless all is so.
    let body = "
        (memory.fill (i32.const 5) (i32.const 7) (i32.const 3))
        (memory.copy (i32.const 20) (i32.const 5) (i32.const 3))
        (if (i32.ne (i32.load (i32.const 19)) (i32.const 0x07070700)) (then unreachable))
        (if (i32.load8_u (i32.const 23)) (then unreachable))
        (if (i32.ne (memory.grow (i32.const 1)) (i32.const 2)) (then unreachable))
        (if (i32.ne (memory.size) (i32.const 3)) (then unreachable))";
    gas_of(body).await;
}

#[tokio::test]
async fn a_length_that_cannot_be_paid_ends_the_run_before_the_work_is_done() {
    let limits = Limits { gas: 1_000, ..Limits::default() };
    for body in [
        "(memory.fill (i32.const 0) (i32.const 1) (i32.const 131072))",
        "(memory.copy (i32.const 0) (i32.const 0) (i32.const -1))",
        "(drop (memory.grow (i32.const -1)))",
        "(drop (table.grow $t (ref.null func) (i32.const 5000)))",
        "(loop $l (memory.fill (i32.const 0) (i32.const 1) (i32.const 4096)) (br $l))",
    ] {
        let receipt = receipt_of(body, limits.clone()).await;
        assert!(
            matches!(receipt.outcome, Outcome::Limit { limit: LimitName::Gas, .. }),
            "{body}: {:?}",
            receipt.outcome
        );
        assert_eq!(receipt.gas, 1_000, "{body}");
    }
}

#[tokio::test]
async fn the_start_function_is_paid_for_like_the_entry() {
    let module = r#"(module
        (func $s (drop (i32.const 1)))
        (start $s)
        (func (export "_start") (drop (i32.const 1))))"#;
    assert_eq!(run_with(module, Limits::default()).await.gas, 4);
}
