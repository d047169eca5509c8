// Of a served page alone: once there are other rows than those shown, it loads itself again, as it was set.
{
  const { stamp, seconds } = document.currentScript.dataset;
  const later = () => setTimeout(ask, 1000 * seconds);
  const ask = async () => {
    const answer = await fetch("stamp").catch(() => null); // none where the server has ended; it may be back
    if (!answer?.ok || (await answer.text()) === stamp) return later();
    sessionStorage.setItem("focus", document.activeElement?.id ?? "");
    location.reload();
  };
  document.getElementById(sessionStorage.getItem("focus"))?.focus({ preventScroll: true });
  later();
}
