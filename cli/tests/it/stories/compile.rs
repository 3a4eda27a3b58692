//! Modules that cost more to compile than their owner may spend.

use crate::platform::{Platform, Shape, saying};

every_shape![a_module_that_costs_too_much_to_compile_is_refused_and_hurts_nobody,];

fn a_module_that_costs_too_much_to_compile_is_refused_and_hurts_nobody(shape: Shape) {
    let platform = Platform::new(shape)
        .api_flags(&["--registration", "invitation"])
        .common_flags(&["--limit-compile-cpu-s", "1"])
        .started();
    let (admin, other) = (platform.admin(), platform.user("other"));
    let bomb = admin.file("bomb.wasm", one_huge_function(600_000));
    let modules = platform.modules();
    std::thread::scope(|threads| {
        let refused = threads.spawn(|| admin.run(&["create", &bomb, "--name", "bomb"]));
        other.create_of("meanwhile", &saying("compiled")).answers("compiled");
        refused
            .join()
            .unwrap()
            .code(5)
            .says("compiling the module needs too much time: the limits are 1 s of CPU time")
            .says("make its functions smaller");
    });
    admin.handler("bomb").get().has_status(404);
    assert_eq!(platform.modules().len(), modules.len() + 1, "only the other user's module is kept");
    admin.create_of("afterwards", &saying("still here")).answers("still here");
}

/// A valid module of one function with 500 locals that all depend on each other, statement by statement.
fn one_huge_function(statements: u32) -> Vec<u8> {
    // One group of 500 locals of type i32.
    let mut body = [vec![1], leb128(500), vec![0x7f]].concat();
    for i in 0..statements {
        // local.set (i32.add (local.get) (i32.mul (local.get) (i32.const)))
        body.push(0x20);
        body.extend(leb128(i * 7 % 500));
        body.push(0x20);
        body.extend(leb128(i * 13 % 500));
        body.push(0x41);
        body.extend(leb128(i % 64));
        body.extend([0x6c, 0x6a, 0x21]);
        body.extend(leb128(i % 500));
    }
    body.push(0x0b);
    let code = [leb128(1), leb128(u32::try_from(body.len()).unwrap()), body].concat();
    [
        b"\0asm\x01\0\0\0".to_vec(),
        // The type (func), one function of it, and its export as _start.
        vec![1, 4, 1, 0x60, 0, 0],
        vec![3, 2, 1, 0],
        [vec![7, 10, 1, 6], b"_start".to_vec(), vec![0, 0]].concat(),
        vec![10],
        leb128(u32::try_from(code.len()).unwrap()),
        code,
    ]
    .concat()
}

fn leb128(mut number: u32) -> Vec<u8> {
    let mut bytes = Vec::new();
    loop {
        let low = u8::try_from(number & 0x7f).unwrap();
        number >>= 7;
        if number == 0 {
            bytes.push(low);
            return bytes;
        }
        bytes.push(low | 0x80);
    }
}
