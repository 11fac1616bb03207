//! A headless Chromium, spoken to over pipes in the Chrome DevTools Protocol.

use serde_json::{Value, json};
use std::fs::File;
use std::io::{BufRead, BufReader, Error, Result, Write};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use tempfile::TempDir;

/// Names under which distributions install it.
const NAMES: [&str; 4] = ["chromium", "chromium-browser", "google-chrome", "chrome"];
/// Seconds after which a browser that hangs is ended.
const LONGEST: &str = "120";

/// A browser with one page.
pub struct Browser {
    child: Child,
    to: File,
    from: BufReader<File>,
    session: Option<String>,
    calls: u64,
    events: Vec<Value>,
    _folder: TempDir,
}

/// The program named by `ZOO_TEST_CHROMIUM`, or else one on the search path.
pub fn chromium() -> Option<PathBuf> {
    if let Some(path) = std::env::var_os("ZOO_TEST_CHROMIUM").filter(|path| !path.is_empty()) {
        return Some(path.into());
    }
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).flat_map(|folder| NAMES.map(|name| folder.join(name))).find(|program| program.is_file())
}

impl Browser {
    /// Starts the browser with an empty page.
    ///
    /// # Errors
    /// If it can't be started, or ends at once.
    pub fn start(program: &std::path::Path) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let pipes = ["to", "from"].map(|name| folder.path().join(name));
        if !Command::new("mkfifo").args(&pipes).status()?.success() {
            return Err(Error::other("mkfifo fails"));
        }
        // The browser reads from handle 3 and writes to handle 4.
        let script = "to=$1; from=$2; shift 2; exec \"$@\" 3<\"$to\" 4>\"$from\"";
        let mut command = Command::new("timeout");
        command.args(["--signal=KILL", LONGEST, "sh", "-c", script, "sh"]).args(&pipes).arg(program);
        command.args([
            "--headless",
            "--remote-debugging-pipe",
            "--no-first-run",
            "--disable-gpu",
            "--no-sandbox",
            "--disable-dev-shm-usage",
        ]);
        command.arg(format!("--user-data-dir={}", folder.path().join("profile").display())).env("HOME", folder.path());
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn()?;
        let to = File::options().write(true).open(&pipes[0])?;
        let from = BufReader::new(File::open(&pipes[1])?);
        let mut browser = Self { child, to, from, session: None, calls: 0, events: Vec::new(), _folder: folder };
        let target = browser.call("Target.createTarget", &json!({"url": "about:blank"}))?;
        let session = browser.call("Target.attachToTarget", &json!({"targetId": target["targetId"], "flatten": true}))?;
        browser.session = session["sessionId"].as_str().map(String::from);
        for domain in ["Page", "Runtime", "Log", "Network"] {
            browser.call(&format!("{domain}.enable"), &json!({}))?;
        }
        Ok(browser)
    }

    /// Calls a method of the protocol and returns its result. Events that come meanwhile are kept.
    ///
    /// # Errors
    /// What the browser says, or that it has ended.
    pub fn call(&mut self, method: &str, parameters: &Value) -> Result<Value> {
        self.calls += 1;
        let mut message = json!({"id": self.calls, "method": method, "params": parameters});
        if let Some(session) = &self.session {
            message["sessionId"] = json!(session);
        }
        self.to.write_all(message.to_string().as_bytes())?;
        self.to.write_all(&[0])?;
        loop {
            let answer = self.read()?;
            if answer["id"] == self.calls {
                return match answer.get("error") {
                    Some(error) => Err(Error::other(format!("{method}: {error}"))),
                    None => Ok(answer["result"].clone()),
                };
            }
            self.events.push(answer);
        }
    }

    fn read(&mut self) -> Result<Value> {
        let mut bytes = Vec::new();
        self.from.read_until(0, &mut bytes)?;
        if bytes.pop() != Some(0) {
            return Err(Error::other("the browser has ended"));
        }
        Ok(serde_json::from_slice(&bytes)?)
    }

    /// Goes to an address and waits until the page has loaded. Events of earlier pages are forgotten.
    ///
    /// # Errors
    /// If there is no such page.
    pub fn open(&mut self, url: &str) -> Result<()> {
        self.events.clear();
        let answer = self.call("Page.navigate", &json!({"url": url}))?;
        if let Some(error) = answer["errorText"].as_str() {
            return Err(Error::other(format!("{url}: {error}")));
        }
        while !self.events.iter().any(|event| event["method"] == "Page.loadEventFired") {
            let event = self.read()?;
            self.events.push(event);
        }
        Ok(())
    }

    /// The value of an expression of JavaScript.
    ///
    /// # Errors
    /// The exception that it throws.
    pub fn evaluate(&mut self, expression: &str) -> Result<Value> {
        let answer = self.call("Runtime.evaluate", &json!({"expression": expression, "returnByValue": true, "awaitPromise": true}))?;
        match answer.get("exceptionDetails") {
            Some(details) => Err(Error::other(details.to_string())),
            None => Ok(answer["result"]["value"].clone()),
        }
    }

    /// Presses and releases a key, such as `Enter` or `Tab`.
    ///
    /// # Errors
    /// If the browser has ended.
    pub fn press(&mut self, key: &str) -> Result<()> {
        let (code, text) = match key {
            "Enter" => (13, "\r"),
            "Tab" => (9, ""),
            _ => (0, ""),
        };
        for kind in ["keyDown", "keyUp"] {
            let key = json!({"type": kind, "key": key, "code": key, "windowsVirtualKeyCode": code, "text": text});
            self.call("Input.dispatchKeyEvent", &key)?;
        }
        Ok(())
    }

    /// What the page complained of since it was opened: exceptions, errors and warnings, and addresses other than files.
    ///
    /// # Errors
    /// If the browser has ended.
    pub fn complaints(&mut self) -> Result<Vec<String>> {
        // Whatever was said before this call comes before its answer.
        self.evaluate("0")?;
        let complaint = |event: &Value| {
            let about = &event["params"];
            match event["method"].as_str()? {
                "Runtime.exceptionThrown" => Some(about["exceptionDetails"].to_string()),
                "Runtime.consoleAPICalled" => {
                    matches!(about["type"].as_str(), Some("error" | "warning" | "assert")).then(|| about["args"].to_string())
                }
                "Log.entryAdded" => {
                    matches!(about["entry"]["level"].as_str(), Some("error" | "warning")).then(|| about["entry"].to_string())
                }
                "Network.requestWillBeSent" => {
                    let url = about["request"]["url"].as_str().unwrap_or_default();
                    (!url.starts_with("file:") && !url.starts_with("data:")).then(|| format!("asked for {url}"))
                }
                _ => None,
            }
        };
        Ok(self.events.iter().filter_map(complaint).collect())
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        self.session = None;
        self.call("Browser.close", &json!({})).ok();
        self.child.wait().ok();
    }
}
