//! The imports as the host provides them, behind functions that are safe to call.
//!
//! This is the one place with unsafe code: everything above it passes slices.
#![expect(unsafe_code, reason = "calling an import is a foreign call")]

/// The longest slice that one call passes: lengths travel as `i32`.
const SLICE_BYTES_MAX: usize = i32::MAX as usize;

// Functions that take no pointer have nothing to get wrong.
#[link(wasm_import_module = "cwa")]
unsafe extern "C" {
    pub safe fn io_get_stdin() -> i32;
    pub safe fn io_get_stdout() -> i32;
    pub safe fn io_get_stderr() -> i32;
    pub safe fn random_i32() -> i32;
    pub safe fn random_i64() -> i64;
    pub safe fn random_u32() -> u32;
    pub safe fn random_u64() -> u64;
    pub safe fn resource_flush(id: i32) -> i32;
    pub safe fn resource_close(id: i32);
    pub safe fn runtime_exit(status: i32);
    pub safe fn runtime_spec_major() -> i32;
    pub safe fn runtime_spec_minor() -> i32;
    pub safe fn runtime_msleep(milliseconds: i32);
    pub safe fn startup_arg_len() -> i32;
    pub safe fn time_now() -> i64;
}

mod raw {
    #[link(wasm_import_module = "cwa")]
    unsafe extern "C" {
        pub fn env_get(key: *const u8, key_length: i32, value: *mut u8, value_length: i32) -> i32;
        pub fn log_write(level: i32, text: *const u8, text_length: i32);
        pub fn resource_open(url: *const u8, url_length: i32) -> i32;
        pub fn resource_read(id: i32, buffer: *mut u8, buffer_length: i32) -> i32;
        pub fn resource_write(id: i32, bytes: *const u8, bytes_length: i32) -> i32;
        pub fn runtime_name(buffer: *mut u8, buffer_length: i32) -> i32;
        pub fn startup_arg_at(index: i32, buffer: *mut u8, buffer_length: i32) -> i32;
    }
}

pub fn env_get(key: &[u8], value: &mut [u8]) -> i32 {
    // SAFETY: the host reads `key` and writes within `value`, and both outlive the call.
    unsafe { raw::env_get(key.as_ptr(), length(key), value.as_mut_ptr(), length(value)) }
}

pub fn log_write(level: i32, text: &[u8]) {
    // SAFETY: the host reads `text`, which outlives the call.
    unsafe { raw::log_write(level, text.as_ptr(), length(text)) }
}

pub fn resource_open(url: &[u8]) -> i32 {
    // SAFETY: the host reads `url`, which outlives the call.
    unsafe { raw::resource_open(url.as_ptr(), length(url)) }
}

pub fn resource_read(id: i32, buffer: &mut [u8]) -> i32 {
    // SAFETY: the host writes within `buffer`, which outlives the call.
    unsafe { raw::resource_read(id, buffer.as_mut_ptr(), length(buffer)) }
}

pub fn resource_write(id: i32, bytes: &[u8]) -> i32 {
    // SAFETY: the host reads `bytes`, which outlive the call.
    unsafe { raw::resource_write(id, bytes.as_ptr(), length(bytes)) }
}

pub fn runtime_name(buffer: &mut [u8]) -> i32 {
    // SAFETY: the host writes within `buffer`, which outlives the call.
    unsafe { raw::runtime_name(buffer.as_mut_ptr(), length(buffer)) }
}

pub fn startup_arg_at(index: i32, buffer: &mut [u8]) -> i32 {
    // SAFETY: the host writes within `buffer`, which outlives the call.
    unsafe { raw::startup_arg_at(index, buffer.as_mut_ptr(), length(buffer)) }
}

/// The slice's length as the ABI passes it; the host sees no more of a slice than that.
fn length(slice: &[u8]) -> i32 {
    slice.len().min(SLICE_BYTES_MAX) as i32
}
