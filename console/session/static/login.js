// A one-time link carries its code after the #, which browsers send to nobody. It is put into the form and taken out of
// the address, so that it stays in no history. Nothing is sent until somebody presses the button: whatever fetches links
// ahead spends none.
(function () {
  "use strict";
  function take() {
    var code = location.hash.slice(1);
    if (!/^[A-Z2-7]{52}$/.test(code)) { return; }
    history.replaceState(null, "", location.pathname + location.search);
    var field = document.getElementById("code");
    field.value = code;
    field.form.querySelector("button").focus();
  }
  take();
  addEventListener("hashchange", take); // the page was open already when the link was
})();
