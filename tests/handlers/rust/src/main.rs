//! Ends a run in the way that the event names; returns any other event as it is.

use std::{env, ffi, fs, io::Write, mem, process, time::Duration};

use lambda_runtime::{run, service_fn, Diagnostic, Error, LambdaEvent};
use serde::Deserialize;
use serde_json::{json, value::to_raw_value, value::RawValue, Value};

#[derive(Deserialize)]
struct Event {
    case: String,
    #[serde(default)]
    bytes: usize,
    #[serde(default)]
    kib: usize,
}

struct NoSuchCustomer;

impl From<NoSuchCustomer> for Diagnostic {
    fn from(_: NoSuchCustomer) -> Self {
        Diagnostic {
            error_type: "NoSuchCustomer".into(),
            error_message: "no such customer".into(),
        }
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let greeting = env::var("GREETING").unwrap_or_default();
    run(service_fn(|event: LambdaEvent<Box<RawValue>>| {
        handle(event.payload, &greeting)
    }))
    .await
}

async fn handle(payload: Box<RawValue>, greeting: &str) -> Result<Box<RawValue>, Diagnostic> {
    match serde_json::from_str::<Event>(payload.get()) {
        // An array could be an `Event` as well.
        Ok(event) if payload.get().starts_with('{') => {
            let result = result_of(event, greeting).await?;
            Ok(to_raw_value(&result).expect("every value has a JSON"))
        }
        _ => Ok(payload),
    }
}

async fn result_of(event: Event, greeting: &str) -> Result<Value, Diagnostic> {
    Ok(match event.case.as_str() {
        "returns" => json!("x".repeat(event.bytes - 2)),
        "prints" => {
            for _ in 0..event.kib {
                println!("{}", "y".repeat(1023));
            }
            json!("printed")
        }
        "throws" => return Err(NoSuchCustomer.into()),
        "panics" => panic!("all is lost"),
        "exits" => process::exit(3),
        "hoards" => {
            let mut hoard = Vec::new();
            loop {
                hoard.push("x".repeat(1 << 24));
            }
        }
        "sleeps" => {
            println!("sleeping");
            std::io::stdout().flush().expect("stdout is open");
            tokio::time::sleep(Duration::from_secs(3600)).await;
            Value::Null
        }
        "greets" => json!(greeting),
        "layers" => json!({"shared": layered("shared"), "only_lower": layered("only_lower")}),
        "native" => json!(native()),
        other => panic!("no such case: {other}"),
    })
}

fn layered(name: &str) -> String {
    let text = fs::read_to_string(format!("/opt/{name}.txt")).expect("the layer has it");
    text.trim().into()
}

extern "C" {
    fn dlopen(name: *const ffi::c_char, flags: ffi::c_int) -> *mut ffi::c_void;
    fn dlsym(library: *mut ffi::c_void, name: *const ffi::c_char) -> *mut ffi::c_void;
}

fn native() -> i32 {
    unsafe {
        let library = dlopen(c"libanswer.so".as_ptr(), 2);
        assert!(!library.is_null(), "the library was not found");
        let answer = dlsym(library, c"answer".as_ptr());
        mem::transmute::<*mut ffi::c_void, extern "C" fn() -> i32>(answer)()
    }
}
