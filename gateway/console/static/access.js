// A page whose socket was closed asks whether its reader is still who opened it, and leaves if not.
(() => {
  const caller = () => JSON.parse(document.querySelector("[data-caller]")?.dataset.caller ?? "null");
  const elsewhere = () => `/login?next=${encodeURIComponent(location.pathname + location.search)}`;
  const text = (me) => JSON.stringify([me.name, Object.entries(me.grants).sort(), me.csrf_token ?? null]);

  let asking = false;
  async function check() {
    const known = caller();
    if (asking || !known) return;
    asking = true;
    try {
      const answer = await fetch("/api/v1/me", { headers: { accept: "application/json" } });
      if (answer.status === 401) location.assign(elsewhere());
      else if (answer.ok && text(await answer.json()) !== text(known)) location.reload();
    } catch {
      // the gateway does not answer: the framework goes on trying
    } finally {
      asking = false;
    }
  }

  const waiting = setInterval(() => {
    if (!window.socket) return;
    clearInterval(waiting);
    window.socket.on("disconnect", check);
    window.socket.on("connect_error", check);
  }, 100);
})();
