//! Bodies of any size pass in constant memory. The measurement with 1 GiB is the program `streaming`.

use headgate_tests::streaming::{self, Options};

use crate::support::program;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn large_bodies_are_not_held() {
    let options = Options { program: program(""), mib: 64, max_growth_mib: 16.0, max_seconds: 120 };
    let report = streaming::run(&options).await.unwrap();
    assert!(report.passed, "{}", report.text);
}
