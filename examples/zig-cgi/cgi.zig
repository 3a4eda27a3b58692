//! Greets on `GET /`, and answers JSON with JSON on `POST /json`: a program that speaks CGI. The request is in
//! variables and on standard input, the answer goes to standard output, and standard error is the handler's log.

const std = @import("std");

const body_bytes_max = 1024 * 1024;

const Question = struct { name: []const u8 };

pub fn main(init: std.process.Init) !void {
    var buffer: [4096]u8 = undefined;
    var stdout = std.Io.File.stdout().writerStreaming(init.io, &buffer);
    const out = &stdout.interface;

    const method = init.environ_map.get("REQUEST_METHOD") orelse "";
    const path = init.environ_map.get("PATH_INFO") orelse "";
    if (std.mem.eql(u8, method, "GET") and (path.len == 0 or std.mem.eql(u8, path, "/"))) {
        try head(out, 200, "text/plain");
        try out.writeAll("Hello from Zig!\n");
    } else if (std.mem.eql(u8, method, "POST") and std.mem.eql(u8, path, "/json")) {
        try greet(init, out);
    } else {
        try head(out, 404, "text/plain");
        try out.print("nothing at {s}\n", .{path});
    }
    try out.flush();
}

fn greet(init: std.process.Init, out: *std.Io.Writer) !void {
    const allocator = init.arena.allocator();
    var buffer: [4096]u8 = undefined;
    var stdin = std.Io.File.stdin().readerStreaming(init.io, &buffer);
    const body = try stdin.interface.allocRemaining(allocator, .limited(body_bytes_max));
    const question = std.json.parseFromSliceLeaky(Question, allocator, body, .{ .ignore_unknown_fields = true }) catch |err| {
        try head(out, 400, "text/plain");
        try out.print("this is no JSON with a name in it: {s}\n", .{@errorName(err)});
        return;
    };
    try head(out, 200, "application/json");
    const greeting = try std.fmt.allocPrint(allocator, "Hello {s}, from Zig!", .{question.name});
    try std.json.Stringify.value(.{ .greeting = greeting }, .{}, out);
}

fn head(out: *std.Io.Writer, status: u16, kind: []const u8) !void {
    std.log.info("answered with {d}", .{status});
    try out.print("Status: {d}\nContent-Type: {s}\n\n", .{ status, kind });
}
