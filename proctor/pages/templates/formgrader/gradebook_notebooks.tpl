{#- Formgrader's list of an assignment's notebooks, with the way to the page for reading. -#}
{%- extends 'nbgrader/gradebook_notebooks.tpl' -%}

{%- block breadcrumbs -%}
{{ super() }}
<p><a class="btn btn-primary" href="{{ base_url }}/proctor/read/{{ assignment_id }}">Read written answers by rubric</a></p>
{%- endblock -%}
