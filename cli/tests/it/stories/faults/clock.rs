use crate::platform::{Platform, Shape, eventually, saying};

larger_shapes![a_clock_that_jumps_an_hour_either_way_logs_nobody_out_and_ends_nothing];

/// The processes' clock jumps, and that of the storage does not: it refuses uploads that are signed at another time
/// of day, as every S3 does. What is there already is to be called, changed and told of as ever.
fn a_clock_that_jumps_an_hour_either_way_logs_nobody_out_and_ends_nothing(shape: Shape) {
    let platform = Platform::new(shape).with_a_clock_that_jumps().started();
    let admin = platform.admin();
    let handler = admin.create_of("steady", &saying("version 1"));
    handler.update(&saying("version 2"));
    let mut live = 2;
    for jump in ["+3600", "-3600", "+0"] {
        platform.jump(jump);
        for _ in 0..5 {
            handler.answers(&format!("version {live}"));
            admin.run(&["list"]).good();
        }
        // The planes still trust each other.
        live = 3 - live;
        admin.run(&["promote", "steady", &live.to_string()]).good();
        let invocation = handler.answers(&format!("version {live}")).invocation();
        eventually("the record", || {
            Some(admin.run(&["invocations", "steady", &invocation])).filter(|done| done.code == 0)
        });
    }
}
