"""Functions in Python: a checked subset of the language, compiled into bound expressions.

    text          source           a function, or a class, as it is written
      |           names            what the names in it mean: constants, builtins, other functions
    statements    statements       what happens one after the other: locals, branches, loops
      |           expressions      what is computed; vocabulary says what each word of Python means
    program       program          locals in order, each for the rows that reach it
      |
    definition    definitions      a UserFunction: expressions over parameters, plain data

Nothing of what is written is ever executed here or sent: `ast` reads it, and what cannot be said in
operators is refused at definition, with the place and with what to write instead.
"""
