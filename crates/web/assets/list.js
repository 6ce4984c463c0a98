// Makes new messages appear as they arrive. Without this, the page reloads itself now and then.
"use strict";
(() => {
  const PAUSE = 300; // Milliseconds: a thousand messages at once redraw the list a few times, not a thousand times.
  const news = document.getElementById("news");
  let drawing = false;
  let again = false;

  const fetchPage = async () => {
    const answer = await fetch(location.href);
    if (!answer.ok) throw new Error(answer.statusText);
    return new DOMParser().parseFromString(await answer.text(), "text/html");
  };

  // The server's page is the truth; keyboard focus and an open question survive.
  const draw = async () => {
    const page = await fetchPage();
    const list = document.getElementById("list");
    const focused = list.contains(document.activeElement) ? document.activeElement : null;
    const path = focused && (focused.getAttribute("href") || focused.form?.getAttribute("action"));
    const asking = list.querySelector("details[open]") !== null;
    list.replaceChildren(...page.getElementById("list").childNodes);
    document.title = page.title;
    if (asking) list.querySelector("details")?.setAttribute("open", "");
    if (path) {
      const same = [...list.querySelectorAll("a, button")].find(
        (e) => e.tagName === focused.tagName && (e.getAttribute("href") || e.form?.getAttribute("action")) === path,
      );
      same?.focus({ preventScroll: true });
    }
  };

  const redraw = async () => {
    if (drawing) {
      again = true;
      return;
    }
    drawing = true;
    try {
      do {
        again = false;
        await draw();
        await new Promise((done) => setTimeout(done, PAUSE));
      } while (again);
    } catch {
      // The server is away; the event source comes back when it does, and draws then.
    } finally {
      drawing = false;
    }
  };

  const events = new EventSource("/events");
  let opened = false;
  events.addEventListener("open", () => {
    // What happened while the connection was down was not told.
    if (opened) redraw();
    opened = true;
  });
  events.addEventListener("message", (event) => {
    const message = JSON.parse(event.data);
    const from = message.from[0]?.name || message.from[0]?.address || "an unknown sender";
    news.textContent = `New message from ${from}: ${message.subject}`;
    redraw();
  });
  events.addEventListener("removed", redraw);
  events.addEventListener("changed", redraw);
  // Back from a message: it has been read meanwhile.
  addEventListener("pageshow", (event) => event.persisted && redraw());
})();
