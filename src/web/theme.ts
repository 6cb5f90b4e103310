// Sets the theme that was chosen here before the page is painted; without a choice it is the system's.
const chosen = localStorage.getItem('flow-theme');
if (chosen === 'light' || chosen === 'dark') document.documentElement.dataset['theme'] = chosen;
