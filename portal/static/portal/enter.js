// What opens this address for a person sends the form at once; what only looks at it does not run this.
document.getElementById("enter").requestSubmit();
