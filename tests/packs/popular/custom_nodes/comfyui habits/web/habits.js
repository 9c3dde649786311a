export const habits = true;
