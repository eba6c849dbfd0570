{# Columns that a tenant may not send: null in the staging model, if the table has none. #}

{% macro types_of_columns(relation) %}
    {% set types = {} %}
    {% if execute %}
        {% for column in adapter.get_columns_in_relation(relation) %}
            {% do types.update({column.name | lower: column.dtype | lower}) %}
        {% endfor %}
    {% endif %}
    {{ return(types) }}
{% endmacro %}

{% macro column_or_null(types, name, type) %}
    {{- name if name in types else 'cast(null as ' ~ type ~ ')' -}}
{% endmacro %}

{% macro text_or_null(types, name) %}
    {{- 'cast(' ~ (name if name in types else 'null') ~ ' as ' ~ dbt.type_string() ~ ')' -}}
{% endmacro %}

{# The Users report writes dates as 05/19/2025, which arrives as text. #}
{% macro date_or_null(types, name) %}
    {%- if types.get(name, '').startswith(('varchar', 'character', 'text', 'string')) -%}
        case
            when {{ name }} like '__/__/____' then cast(
                substr({{ name }}, 7, 4) || '-' || substr({{ name }}, 1, 2) || '-'
                || substr({{ name }}, 4, 2) as date
            )
            when {{ name }} like '____-__-__%' then cast(substr({{ name }}, 1, 10) as date)
        end
    {%- else -%}
        cast({{ name if name in types else 'null' }} as date)
    {%- endif -%}
{% endmacro %}
