//! Programs in several languages, as their toolchains build them.

use crate::app::TestExecutor;

fn guest(name: &str) -> Vec<u8> {
    let path = std::env::var_os("WASMCLOUD_GUESTS").map(std::path::PathBuf::from).unwrap();
    std::fs::read(path.join(name).with_extension("wasm")).unwrap()
}

#[tokio::test]
async fn smoke() {
    let app = TestExecutor::start().await;
    let only = std::env::var("ONLY").ok();
    for name in only.as_deref().map_or(
        vec![
            "c-cgi",
            "rust-cgi",
            "rust-cli",
            "zig-cgi",
            "go-cgi",
            "assemblyscript-cgi",
            "echo",
            "rust-http",
            "wasi-http-stream",
            "javascript-http",
            "python-http",
        ],
        |only| only.split(',').collect(),
    ) {
        let began = std::time::Instant::now();
        app.deploy("hello", &guest(name)).await;
        let answer = app.get("hello", "/").await;
        eprintln!("{name}: {} {} in {:?}", answer.status, answer.text(), began.elapsed());
        let recorded = app.recorded(&answer).await;
        eprintln!("   {:?}", recorded.receipt);
        for line in &recorded.lines {
            eprintln!("   {line:?}");
        }
    }
}
